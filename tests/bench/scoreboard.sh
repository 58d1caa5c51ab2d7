#!/usr/bin/env bash
# One file over a faulty service, fetched by sunhaul, curl, wget, wget2 and aria2. `--help` explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
  cat <<'HELP'
Fetches one file over a service that does wrong in a dozen ways, with sunhaul and with four downloaders, and says what
each was left with.

usage: tests/bench/scoreboard.sh [OPTION...]

  --sunhaul FILE   the program (default target/release/sunhaul; build it first: cargo build --release)
  --markdown       a table for tests/README.md
  --help           show this

Each program gets three runs of one command, with the flags that its own manual gives for bad lines (the commands are
printed), and 40 seconds for each. Needs curl, wget, wget2, aria2 and python3.
HELP
}

arguments=()
sunhaul=target/release/sunhaul
while [ $# -gt 0 ]; do
  case "$1" in
    --help | -h) usage; exit 0 ;;
    --markdown) arguments+=(--markdown) ;;
    --sunhaul)
      [ $# -gt 1 ] || { echo "tests/bench/scoreboard.sh: $1 needs a value (see --help)" >&2; exit 2; }
      sunhaul=$2
      shift
      ;;
    *) echo "tests/bench/scoreboard.sh: unknown word: $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
for program in curl wget wget2 aria2c python3; do
  command -v "$program" >/dev/null || { echo "tests/bench/scoreboard.sh: $program is needed (Debian: curl wget wget2 aria2 python3)" >&2; exit 1; }
done
[ -x "$sunhaul" ] || { echo "tests/bench/scoreboard.sh: $sunhaul is not there: cargo build --release --locked" >&2; exit 1; }
exec python3 tests/bench/scoreboard.py --sunhaul "$(realpath "$sunhaul")" "${arguments[@]}"
