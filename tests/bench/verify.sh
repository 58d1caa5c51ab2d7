#!/usr/bin/env bash
# Paired benchmark: `sunhaul verify` against `openssl dgst -sha256` over the same files. `--help` explains.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null

usage() {
  cat <<'HELP'
Paired benchmark: `sunhaul verify` against `xargs -P CORES openssl dgst -sha256`, in turns, over the files of one archive.
The archive is made by `sunhaul adopt` from FITS files made here. All is read once before the first round, so that both
read from memory where that is large enough.

usage: tests/bench/verify.sh [OPTION...]

  --mib N          how much data, in MiB (default 4096)
  --file-mib N     the length of a file, in MiB (default 4)
  --rounds N       timed rounds of each, after one to warm up (default 5)
  --sunhaul FILE   the program (default target/release/sunhaul; build it first: cargo build --release)
  --help           show this

Data lies in a folder of its own below ${TMPDIR:-/tmp}, and is removed at the end. Wall times are in seconds.
HELP
}

fail() {
  echo "tests/bench/verify.sh: $*" >&2
  exit "${2:-1}"
}

mib=4096
file_mib=4
rounds=5
sunhaul=target/release/sunhaul
while [ $# -gt 0 ]; do
  case "$1" in
    --mib | --file-mib | --rounds | --sunhaul)
      [ $# -gt 1 ] || fail "$1 needs a value (see --help)" 2
      case "$1" in --mib) mib=$2 ;; --file-mib) file_mib=$2 ;; --rounds) rounds=$2 ;; --sunhaul) sunhaul=$2 ;; esac
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) fail "unknown word: $1 (see --help)" 2 ;;
  esac
  shift
done
for number in "$mib" "$file_mib" "$rounds"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || fail "\`$number\` is no number above zero" 2
done
for program in openssl python3 xargs; do
  command -v "$program" >/dev/null || fail "$program is needed (Debian: openssl python3 findutils)"
done
[ -x "$sunhaul" ] || fail "$sunhaul is not there: cargo build --release --locked"
sunhaul="$(realpath "$sunhaul")"
cores="$(nproc)"
files=$((mib / file_mib))
# Their times are seconds of one day.
if [ "$files" -lt 1 ] || [ "$files" -gt 86400 ]; then fail "$mib MiB are $files files of $file_mib MiB: 1 to 86400 fit" 2; fi

work="$(mktemp -d "${TMPDIR:-/tmp}/sunhaul-bench.XXXXXX")"
service=
cleanup() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  [ -z "$service" ] || wait "$service" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

python3 - "$work/made" "$files" "$file_mib" <<'PYTHON'
import os, sys
folder, files, mib = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.makedirs(folder)
length = mib * 1024 * 1024 // 2880 * 2880 - 2880
noise = os.urandom(length)
def card(text):
    return text.ljust(80).encode()
for number in range(files):
    second = number * (86400 // files)
    stamp = "%02d%02d%02d" % (second // 3600, second // 60 % 60, second % 60)
    header = b"".join(map(card, ["SIMPLE  =                    T", "BITPIX  =                    8",
        "NAXIS   =                    1", "NAXIS1  = %20d" % length, "END"])).ljust(2880)
    with open("%s/sharp_720s_20151211_%s.fits" % (folder, stamp), "wb") as out:
        out.write(header)
        out.write(b"%08d" % number)
        out.write(noise[8:])
PYTHON

"$sunhaul" serve "$work/made" --port 0 2>"$work/serve.log" &
service=$!
for _ in $(seq 600); do
  url="$(sed -n 's/^listening on //p' "$work/serve.log")"
  [ -n "$url" ] && break
  kill -0 "$service" 2>/dev/null || fail "the service did not start: $(cat "$work/serve.log")"
  sleep 0.1
done
[ -n "$url" ] || fail "the service does not listen"
cat >"$work/job.yaml" <<YAML
version: 1
name: bench
source: { hmi: { url: "$url" } }
range: { start: 2015-12-11, end: 2015-12-12 }
series: [{ name: sharp_720s }]
archive: { root: archive }
YAML
"$sunhaul" adopt "$work/job.yaml" "$work/made" --link -q
kill "$service"
wait "$service" 2>/dev/null || true
service=

find "$work/archive/sharp_720s" -type f -print0 | sort -z >"$work/list"
ours() { "$sunhaul" verify "$work/job.yaml" >"$work/said"; }
theirs() { xargs -0 -P "$cores" -n 32 openssl dgst -sha256 <"$work/list" >"$work/said"; }
seconds() {
  local begun=${EPOCHREALTIME/./}
  "$1"
  echo $((${EPOCHREALTIME/./} - begun))
}
median() { sort -n | sed -n "$(((rounds + 1) / 2))p"; }

ours && theirs
for _ in $(seq "$rounds"); do
  seconds ours >>"$work/ours"
  seconds theirs >>"$work/theirs"
done
python3 - "$(median <"$work/ours")" "$(median <"$work/theirs")" "$files" "$file_mib" "$cores" <<'PYTHON'
import sys
ours, theirs = (int(word) / 1e6 for word in sys.argv[1:3])
files, mib, cores = sys.argv[3:6]
print("%s files of %s MiB on %s cores: sunhaul verify %.2f s, openssl %.2f s, ratio of medians %.2f"
      % (files, mib, cores, ours, theirs, ours / theirs))
PYTHON
