#!/usr/bin/env bash
# Fuzzes one target, or each in turn, as the figures in tests/README.md were made. `--help` explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null

# target | longest input in bytes | runs
targets='
content_disposition 96 12500000
content_range 64 40000000
day_record 600 1200000
fits_check 4096 1500000
hapi_data 768 2000000
hmi_listing 1024 8000000
journal 256 5000000
jsoc_listing 1024 3000000
lock 2048 3000000
manifest 1024 700000
medoc_listing 1024 3000000
report 2048 22000000
retry_after 96 10000000
'

if [ "${1:-}" = --help ]; then
  cat <<'HELP'
usage: tests/fuzz/run.sh [TARGET [RUNS]]

Needs a nightly toolchain and `cargo install cargo-fuzz --locked`. Builds with optimisation, debug assertions and
overflow checks, and without a sanitizer: all code of ours is safe Rust, so what can be found are panics, broken
promises, hangs and memory. What is found lies in tests/fuzz/artifacts/TARGET; to see it again:

  cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none TARGET tests/fuzz/artifacts/TARGET/FILE
HELP
  exit 0
fi

found=false
while read -r target longest runs; do
  [ -n "$target" ] && [ "${1:-$target}" = "$target" ] || continue
  found=true
  corpora=("tests/fuzz/corpus/$target")
  [ -d "tests/fuzz/seeds/$target" ] && corpora+=("tests/fuzz/seeds/$target")
  [ "$target" = manifest ] && corpora+=(tests/fixtures/manifests jobs)
  mkdir -p "${corpora[0]}"
  cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none "$target" "${corpora[@]}" -- \
    -dict="tests/fuzz/dictionaries/$target.dict" -max_len="$longest" -runs="${2:-$runs}" -timeout=5 \
    -rss_limit_mb=1024 -print_final_stats=1
done <<<"$targets"
if [ "$found" = false ]; then
  echo "tests/fuzz/run.sh: unknown target: $1 (see --help)" >&2
  exit 2
fi
