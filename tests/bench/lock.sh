#!/usr/bin/env bash
# Benchmark of the lock: read, held and rewritten for a job of very many files. `--help` explains.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null

usage() {
  cat <<'HELP'
Benchmark of the lock, over day records that are made here; their files are not, since nothing below looks at them.

  lock      `sunhaul lock`: the lock written from the records
  no-op     `sunhaul run --locked` with every day sealed: lock and records read, nobody asked
  read      the same for one day alone: what reading the lock takes
  cat       `cat` of the lock to nowhere, for comparison

usage: tests/bench/lock.sh [OPTION...]

  --days N         sealed days (default 6000)
  --files N        files in all (default 1000000)
  --rounds N       timed rounds of each, after one to warm up (default 5)
  --sunhaul FILE   the program (default target/release/sunhaul; build it first: cargo build --release)
  --help           show this

Data lies in a folder of its own below ${TMPDIR:-/tmp}, and is removed at the end. Wall times are in seconds, memory is
the peak resident size.
HELP
}

fail() {
  echo "tests/bench/lock.sh: $*" >&2
  exit "${2:-1}"
}

days=6000
files=1000000
rounds=5
sunhaul=target/release/sunhaul
while [ $# -gt 0 ]; do
  case "$1" in
    --days | --files | --rounds | --sunhaul)
      [ $# -gt 1 ] || fail "$1 needs a value (see --help)" 2
      case "$1" in --days) days=$2 ;; --files) files=$2 ;; --rounds) rounds=$2 ;; --sunhaul) sunhaul=$2 ;; esac
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) fail "unknown word: $1 (see --help)" 2 ;;
  esac
  shift
done
for number in "$days" "$files" "$rounds"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || fail "\`$number\` is no number above zero" 2
done
[ -x "$sunhaul" ] || fail "$sunhaul is not there: cargo build --release --locked"
[ -x /usr/bin/time ] || fail "GNU time is needed (Debian: time)"
sunhaul="$(realpath "$sunhaul")"

work="$(mktemp -d "${TMPDIR:-/tmp}/sunhaul-bench.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# Day records as another program might write them: without `check`, which is then not asked for.
python3 - "$work" "$days" "$files" <<'PYTHON'
import datetime, hashlib, json, os, sys
work, days, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
first = datetime.date(2000, 1, 1)
end = first + datetime.timedelta(days)
for detail in "files", "day":
    with open(f"{work}/{detail}.yaml", "w") as job:
        job.write(f"""version: 1
name: bench
source: {{ hmi: {{ url: "http://localhost:1" }} }}
range: {{ start: {first}, end: {end} }}
series: [{{ name: sharp_720s }}]
archive: {{ root: archive, layout: "{{series}}/{{date:%Y/%m/%d}}/{{file}}" }}
lock: {{ detail: {detail} }}
""")
def digest(value):
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()
folder = f"{work}/archive/.sunhaul/days/sharp_720s"
os.makedirs(folder)
for nth in range(days):
    date = first + datetime.timedelta(nth)
    window = [f"{date}T00:00:00Z", f"{date + datetime.timedelta(1)}T00:00:00Z"]
    source = digest(["source/1", "hmi", "/", "sharp_720s"])
    asked = digest(["spec/1", None, None, None, None, "{series}/{date:%Y/%m/%d}/{file}", *window])
    lines, sums = [], []
    for at in range(files // days):
        stamp = f"{date:%Y%m%d}_{at:06}"
        path = f"sharp_720s/{date:%Y/%m/%d}/sharp_720s_{stamp}.fits"
        sha256 = hashlib.sha256(path.encode()).hexdigest()
        key = f"/HMI/sharp_720s/sharp_720s_{stamp}"
        lines.append(json.dumps({"series": "sharp_720s", "path": path, "bytes": 576000, "sha256": sha256,
            "time": f"{date}T18:22:08.799999Z", "key": key, "url": key, "checked": "checksum"}, separators=(",", ":")) + "\n")
        sums.append(f"{sha256}  {path}\n")
    body = "".join(lines)
    header = {"format": "day/1", "job": "bench", "series": "sharp_720s", "date": str(date), "scale": "UTC",
        "window": window, "spec": source[:32] + asked[:32], "state": "sealed", "files": len(lines),
        "bytes": 576000 * len(lines), "absent": 0,
        "digest": "sha256:" + hashlib.sha256("".join(sums).encode()).hexdigest(), "body": len(body)}
    with open(f"{folder}/{date}.jsonl", "w") as record:
        record.write(json.dumps({"day": header}, separators=(",", ":")) + "\n" + body)
PYTHON

# Runs a command; adds its seconds and its KiB to the files of its name.
timed() {
  local name=$1 begun=${EPOCHREALTIME/./}
  shift
  /usr/bin/time -q -f %M -o "$work/peak" "$@" >"$work/said" 2>&1 || fail "\`$*\` failed: $(cat "$work/said")"
  echo $((${EPOCHREALTIME/./} - begun)) >>"$work/$name.wall"
  cat "$work/peak" >>"$work/$name.peak"
}
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }

one="2000-01-01..2000-01-02"
for detail in files day; do
  job="$work/$detail.yaml"
  "$sunhaul" lock "$job" >"$work/said"
  "$sunhaul" run -q --locked "$job"
  for _ in $(seq "$rounds"); do
    rm "$work/$detail.lock"
    timed "$detail.lock" "$sunhaul" lock "$job"
    timed "$detail.no-op" "$sunhaul" run -q --locked "$job"
    timed "$detail.read" "$sunhaul" run -q --locked "$job" --range "$one"
    timed "$detail.cat" cat "$work/$detail.lock"
  done
  size="$(stat -c %s "$work/$detail.lock")"
  for what in lock no-op read cat; do
    awk -v what="$what" -v detail="$detail" -v size="$size" -v wall="$(median "$work/$detail.$what.wall")" \
      -v peak="$(median "$work/$detail.$what.peak")" \
      'BEGIN { printf "detail: %-5s %6.1f MiB  %-5s %7.3f s  %4d MiB\n", detail, size / 1048576, what, wall / 1e6, peak / 1024 }'
  done
done
