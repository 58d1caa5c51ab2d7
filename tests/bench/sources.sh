#!/usr/bin/env bash
# Benchmark of the sources that list a lot: a large folder read, a long timetable made. `--help` explains.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null

usage() {
  cat <<'HELP'
Benchmark of `sunhaul plan --list` over a server on loopback that is made here.

  index      one folder of 20,000 links in Apache's, nginx's and lighttpd's form, all of one day
  template   a day of 50,400 URLs: seven wavelengths every 12 s
  curl       the same page of nginx to nowhere, for comparison

usage: tests/bench/sources.sh [OPTION...]

  --links N        links in the folder (default 20000)
  --rounds N       timed rounds of each, after one to warm up (default 5)
  --sunhaul FILE   the program (default target/release/sunhaul; build it first: cargo build --release)
  --help           show this

Needs python3, curl and GNU time. Data lies in a folder of its own below ${TMPDIR:-/tmp}, and is removed at the end. Wall
times are in seconds and hold the start of the program, memory is the peak resident size; both are medians.
HELP
}

fail() {
  echo "tests/bench/sources.sh: $*" >&2
  exit "${2:-1}"
}

links=20000
rounds=5
sunhaul=target/release/sunhaul
while [ $# -gt 0 ]; do
  case "$1" in
    --links | --rounds | --sunhaul)
      [ $# -gt 1 ] || fail "$1 needs a value (see --help)" 2
      case "$1" in --links) links=$2 ;; --rounds) rounds=$2 ;; --sunhaul) sunhaul=$2 ;; esac
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) fail "unknown word: $1 (see --help)" 2 ;;
  esac
  shift
done
for number in "$links" "$rounds"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || fail "\`$number\` is no number above zero" 2
done
[ -x "$sunhaul" ] || fail "$sunhaul is not there: cargo build --release --locked"
[ -x /usr/bin/time ] || fail "GNU time is needed (Debian: time)"
sunhaul="$(realpath "$sunhaul")"

work="$(mktemp -d "${TMPDIR:-/tmp}/sunhaul-bench.XXXXXX")"
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

cat >"$work/server.py" <<'PYTHON'
import http.server, sys
links, place = int(sys.argv[1]), sys.argv[2]
names = [f"AIA20151211_{n // 3600 % 24:02}{n // 60 % 60:02}{n % 60:02}_{n:06}_0171.fits" for n in range(links)]
def apache(name):
    return (f'<tr><td valign="top">&nbsp;</td><td><a href="{name}">{name}</a></td><td align="right">2026-11-27 01:39  </td>'
            '<td align="right">5.6K</td><td>&nbsp;</td></tr>\n')
def nginx(name):
    return f'<a href="{name}">{name}</a>{" " * 20}27-Nov-2026 01:39{28800000:20}\n'
def lighttpd(name):
    return (f'<tr><td class="n"><a href="{name}">{name}</a></td><td class="m">2026-Nov-27 01:39:11</td><td class="s">5.6K</td>'
            '<td class="t">application/octet-stream</td></tr>\n')
ends = {"apache": "</table>", "nginx": "</pre>", "lighttpd": "</table>"}
pages = {f"/{form.__name__}/": ("<html><head><title>Index of /</title></head><body>" + "".join(map(form, names))
         + ends[form.__name__] + "</body></html>").encode() for form in (apache, nginx, lighttpd)}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        page = pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page or b"")))
        self.end_headers()
        self.wfile.write(page or b"")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(place, "w") as told:
    told.write(f"{server.server_address[1]} {len(pages['/nginx/'])}\n")
server.serve_forever()
PYTHON
python3 "$work/server.py" "$links" "$work/place" &
server=$!
for _ in $(seq 100); do [ -s "$work/place" ] && break || sleep 0.1; done
read -r port size <"$work/place" || fail "the server does not start"

job() {
  cat >"$work/$1.yaml" <<YAML
version: 1
name: bench
source: { $2 }
range: { start: 2015-12-11, end: 2015-12-12 }
series: [{ name: aia }]
archive: { root: archive }
limits: { requests: unlimited, bandwidth: unlimited }
YAML
}
for form in apache nginx lighttpd; do
  job "$form" "index: { url: \"http://127.0.0.1:$port/$form/\", files: \"AIA%Y%m%d_%H%M%S_*_0171.fits\" }"
done
job template "template: { url: \"http://127.0.0.1:$port/\", cadence: 12s,
    path: \"%Y/%m/%d/H%H00/AIA%Y%m%d_%H%M%S_{wavelength:04}.fits\", each: { wavelength: [94, 131, 171, 193, 211, 304, 335] } }"

# Runs a command; adds its seconds and its KiB to the files of its name.
timed() {
  local name=$1 begun=${EPOCHREALTIME/./}
  shift
  /usr/bin/time -q -f %M -o "$work/peak" "$@" >"$work/$name.said" 2>&1 || fail "\`$*\` failed: $(cat "$work/$name.said")"
  echo $((${EPOCHREALTIME/./} - begun)) >>"$work/$name.wall"
  cat "$work/peak" >>"$work/$name.peak"
}
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }

for round in $(seq 0 "$rounds"); do
  for what in apache nginx lighttpd template; do
    timed "$what" "$sunhaul" plan "$work/$what.yaml" --list --json
  done
  timed curl curl -sS -o /dev/null "http://127.0.0.1:$port/nginx/"
  [ "$round" -gt 0 ] || rm "$work"/*.wall "$work"/*.peak
done
for what in apache nginx lighttpd template curl; do
  files="$(sed -n 's/.*"files": \([0-9]*\),$/\1/p' "$work/$what.said" | tail -1)"
  awk -v what="$what" -v files="${files:--}" -v wall="$(median "$work/$what.wall")" -v peak="$(median "$work/$what.peak")" \
    'BEGIN { printf "%-9s %6s files  %7.3f s  %4d MiB\n", what, files, wall / 1e6, peak / 1024 }'
done
awk -v size="$size" 'BEGIN { printf "the page of nginx has %.1f MiB\n", size / 1048576 }'
