#!/usr/bin/env bash
# Paired benchmarks: `sunhaul run` against curl and wget2 on the same URLs of one nginx. `--help` explains.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null

usage() {
  cat <<'HELP'
Paired benchmarks: `sunhaul run` against a plain downloader, in turns, on the same URLs of one nginx on loopback.
sunhaul checks, hashes, journals and seals; the peers do none of that.

usage: tests/bench/run.sh [large|middle|small|plan|all]... [OPTION...]

  large    16 files of 64 MiB       against curl --parallel --parallel-max 8
  middle   2,000 files of 512 KiB   against curl --parallel --parallel-max 8
  small    20,000 files of 8 KiB    against wget2 --max-threads=8
  plan     planning 6,000 days, no network
  all      all of these; the default

  --rounds N       timed rounds of each, after one to warm up (default 5)
  --fits           FITS files with right checksums in place of random bytes
  --strace         also count the system calls of one run that touch directories or flush
  --peers          only the peers, without sunhaul
  --sunhaul FILE   the program (default target/release/sunhaul; build it first: cargo build --release)
  --dir FOLDER     where data and archives go, under a folder of their own (default target/)
  --help           show this

Wall times are in seconds, memory is the peak resident size. All data is removed at the end.
HELP
}

fail() {
  echo "tests/bench/run.sh: $*" >&2
  exit "${2:-1}"
}

sizes=()
rounds=5
fits=()
strace=false
peers_only=false
sunhaul=target/release/sunhaul
place=target
while [ $# -gt 0 ]; do
  case "$1" in
    large | middle | small | plan) sizes+=("$1") ;;
    all) sizes+=(large middle small plan) ;;
    --fits) fits=(--fits) ;;
    --strace) strace=true ;;
    --peers) peers_only=true ;;
    --rounds | --sunhaul | --dir)
      [ $# -gt 1 ] || { echo "tests/bench/run.sh: $1 needs a value (see --help)" >&2; exit 2; }
      case "$1" in --rounds) rounds=$2 ;; --sunhaul) sunhaul=$2 ;; --dir) place=$2 ;; esac
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "tests/bench/run.sh: unknown word: $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
[ ${#sizes[@]} -gt 0 ] || sizes=(large middle small plan)
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "tests/bench/run.sh: --rounds takes a number above zero" >&2; exit 2; }

for program in nginx curl wget2 python3 timeout /usr/bin/time; do
  command -v "$program" >/dev/null || fail "$program is needed (Debian: nginx-light curl wget2 python3 coreutils time)"
done
if [ "$strace" = true ]; then command -v strace >/dev/null || fail "strace is needed for --strace"; fi
if [ "$peers_only" = false ]; then
  [ -x "$sunhaul" ] || fail "$sunhaul is not there: cargo build --release --locked"
  sunhaul="$(realpath "$sunhaul")"
fi

mkdir -p "$place"
work="$(mktemp -d "$(realpath "$place")/bench.XXXXXX")"
nginx=
cleanup() {
  [ -z "$nginx" ] || kill "$nginx" 2>/dev/null || true
  [ -z "$nginx" ] || wait "$nginx" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Serves $1/www and $1/list.json on port $2.
serve() {
  cat >"$1/nginx.conf" <<CONF
daemon off;
pid $1/nginx.pid;
worker_processes auto;
error_log $1/nginx.log warn;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 60s;
  keepalive_requests 1000000;
  types { application/fits fits; }
  default_type application/octet-stream;
  client_body_temp_path $1/tmp; proxy_temp_path $1/tmp; fastcgi_temp_path $1/tmp; uwsgi_temp_path $1/tmp; scgi_temp_path $1/tmp;
  server {
    listen 127.0.0.1:$2;
    root $1/www;
    location = /HMI/bench { default_type application/json; types { } alias $1/list.json; }
  }
}
CONF
  local user=()
  if [ "$(id -u)" = 0 ]; then user=(-g "user root;"); fi
  nginx -e "$1/nginx.log" -c "$1/nginx.conf" "${user[@]}" 2>>"$1/nginx.log" &
  nginx=$!
  for _ in $(seq 100); do
    if curl -sf -o /dev/null "http://127.0.0.1:$2/HMI/bench"; then return; fi
    kill -0 "$nginx" 2>/dev/null || break
    sleep 0.05
  done
  fail "nginx does not answer: $(tail -n 3 "$1/nginx.log")"
}

stop_nginx() {
  kill "$nginx"
  wait "$nginx" 2>/dev/null || true
  nginx=
}

# Runs a command in folder $1; leaves its wall time in `wall` (seconds) and its peak memory in `peak` (KiB).
timed() {
  local folder=$1 begun ended
  shift
  sync
  begun=${EPOCHREALTIME/./}
  (cd "$folder" && HOME="$work" timeout -k 5 600 /usr/bin/time -q -f %M -o "$work/peak" "$@" >"$work/said" 2>&1) ||
    fail "failed: $*"$'\n'"$(tail -n 5 "$work/said")"
  ended=${EPOCHREALTIME/./}
  wall=$(awk -v us=$((ended - begun)) 'BEGIN { printf "%.3f", us / 1e6 }')
  peak=$(tail -n 1 "$work/peak")
}

median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.3f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
highest() { sort -n | tail -n 1; }
mib() { awk -v kib="$1" 'BEGIN { printf "%.1f MiB", kib / 1024 }'; }

# Checks that folder $1 holds $2 files of $3 bytes together, leaving out sunhaul's own.
holds() {
  local found
  found=$(find "$1" -name .sunhaul -prune -o -type f -printf '%s\n' | awk '{ n++; b += $1 } END { print n + 0, b + 0 }')
  [ "$found" = "$2 $3" ] || fail "$1 holds (files, bytes) $found, not $2 $3"
}

# Empties the files of the round before and puts them aside, names and all, until the pair is done. ext4 is slow for
# minutes after many files were removed, and no user removes an archive just before a run; and a virtual machine is
# slow on memory it has not touched for a while, so the pages are given back rather than kept.
put_aside() {
  if [ -e "$1" ]; then
    find "$1" -type f -exec truncate -s 0 {} +
    mv "$1" "$work/old.$RANDOM$RANDOM"
  fi
}

peer_once() {
  put_aside "$work/peer"
  mkdir "$work/peer"
  case "$1" in
    curl) timed "$work/peer" curl -q --silent --show-error --fail --parallel --parallel-max 8 --config "$data/curl.conf" ;;
    wget2) timed "$work/peer" wget2 --no-config -q --no-robots --max-threads=8 -i "$data/urls" -P . ;;
  esac
}

sunhaul_once() {
  put_aside "$work/archive"
  timed "$work" "$sunhaul" run job.yaml
}

pair() {
  local name=$1 peer=$2 count=$3 bytes=$4 port total round who
  data="$work/$name"
  mkdir -p "$data/tmp"
  port=$(free_port)
  echo "== $name: $count files of $bytes bytes${fits:+, FITS}"
  python3 tests/bench/data.py "$data" "http://127.0.0.1:$port" "$count" "$bytes" ${fits[@]+"${fits[@]}"}
  total=$(find "$data/www" -type f -printf '%s\n' | awk '{ b += $1 } END { print b }')
  serve "$data" "$port"
  cat >"$work/job.yaml" <<YAML
version: 1
name: bench
source: { hmi: { url: "http://127.0.0.1:$port" } }
range: { start: 2015-12-11, end: 2015-12-12 }
series: [{ name: bench }]
archive: { root: archive }
limits: { requests: unlimited, bandwidth: unlimited, concurrency: 8 }
YAML
  local whos=(sunhaul "$peer")
  if [ "$peers_only" = true ]; then whos=("$peer"); fi
  rm -f "$work"/*.walls "$work"/*.peaks
  for round in $(seq 0 "$rounds"); do
    # In turns, and the first of a round is the second of the next.
    if [ ${#whos[@]} = 2 ]; then whos=("${whos[1]}" "${whos[0]}"); fi
    for who in "${whos[@]}"; do
      if [ "$who" = sunhaul ]; then
        sunhaul_once
        if [ "$round" = 0 ]; then holds "$work/archive" "$count" "$total"; fi
      else
        peer_once "$who"
        if [ "$round" = 0 ]; then holds "$work/peer" "$count" "$total"; fi
      fi
      if [ "$round" = 0 ]; then continue; fi
      echo "$wall" >>"$work/$who.walls"
      echo "$peak" >>"$work/$who.peaks"
      printf '  round %s  %-8s %8s s  %s\n' "$round" "$who" "$wall" "$(mib "$peak")"
    done
  done
  for who in $(printf '%s\n' "${whos[@]}" | sort); do
    printf '  median   %-8s %8s s  %s at most\n' "$who" "$(median <"$work/$who.walls")" "$(mib "$(highest <"$work/$who.peaks")")"
  done
  if [ "$peers_only" = false ]; then
    awk -v a="$(median <"$work/sunhaul.walls")" -v b="$(median <"$work/$peer.walls")" -v p="$peer" \
      'BEGIN { printf "  ratio    sunhaul / %s = %.3f\n", p, a / b }'
    again
    if [ "$strace" = true ]; then calls "$count"; fi
  fi
  stop_nginx
  rm -rf "$data" "$work/archive" "$work/peer" "$work"/old.*
}

# The same run again over the archive of the last round: nothing is to be done.
again() {
  local _
  rm -f "$work/again.walls"
  for _ in $(seq "$rounds"); do
    timed "$work" "$sunhaul" run job.yaml
    echo "$wall" >>"$work/again.walls"
  done
  printf '  again    sunhaul  %8s s  %s (median of a run with nothing to do)\n' "$(median <"$work/again.walls")" "$(mib "$peak")"
}

# The calls of one run that change or flush directories, and how many each file costs.
calls() {
  rm -rf "$work/archive"
  (cd "$work" && timeout -k 5 900 strace -f -c -U name,calls -o "$work/calls" \
    -e trace=openat,open,creat,linkat,link,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,fsync,fdatasync,syncfs,statx,newfstatat \
    "$sunhaul" run job.yaml >"$work/said" 2>&1) || fail "failed under strace: $(tail -n 5 "$work/said")"
  echo "  calls    of one run (per file)"
  awk -v files="$1" '$2 ~ /^[0-9]+$/ && $1 != "total" { printf "           %-12s %8d  %.2f\n", $1, $2, $2 / files }' "$work/calls"
}

plan_days() {
  local round
  echo "== plan: 6,000 days"
  cat >"$work/plan.yaml" <<YAML
version: 1
name: bench-plan
source: { hmi: { url: "http://127.0.0.1:9" } }
range: { start: 2000-01-01, end: $(date -u -d '2000-01-01 +6000 days' +%F) }
series: [{ name: bench }]
archive: { root: plan-archive }
YAML
  rm -f "$work/plan.walls"
  for round in $(seq 0 "$rounds"); do
    timed "$work" "$sunhaul" plan plan.yaml
    if [ "$round" != 0 ]; then echo "$wall" >>"$work/plan.walls"; fi
  done
  printf '  median   sunhaul  %8s s  %s\n' "$(median <"$work/plan.walls")" "$(mib "$peak")"
}

echo "machine: $(nproc) cores, $(uname -sr), $(findmnt -n -o FSTYPE -T "$work"); $(nginx -v 2>&1 | sed 's/.*: //'), $(curl -V | awk 'NR == 1 { print $1, $2 }'), $(wget2 --version | awk 'NR == 1 { print $2, $3 }')"
for size in "${sizes[@]}"; do
  case "$size" in
    large) pair large curl 16 $((64 << 20)) ;;
    middle) pair middle curl 2000 $((512 << 10)) ;;
    small) pair small wget2 20000 $((8 << 10)) ;;
    plan) if [ "$peers_only" = false ]; then plan_days; fi ;;
  esac
done
