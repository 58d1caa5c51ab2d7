#!/usr/bin/env python3
"""Compares sunhaul's verdict on every file of a folder with those of astropy and fitsverify.

usage: compare.py SUNHAUL FOLDER

Needs astropy, and fitsverify on the PATH. The folder is served on loopback and fetched by a job of its own, so that each
file passes the checks of a download; nothing is written to it. Prints a line for each file on which the programs differ,
then a summary. Exit 1 when sunhaul accepts a file that another program finds damaged, or rejects one that both find sound.
"""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import warnings
from pathlib import Path

from astropy.io import fits

MANIFEST = """version: 1
name: compare
source: {{ hmi: {{ url: "http://127.0.0.1:{port}/" }} }}
range: {{ start: 2015-12-11, end: 2015-12-12 }}
series: [{{ name: files }}]
archive: {{ root: data }}
limits: {{ requests: unlimited, bandwidth: unlimited, concurrency: 4 }}
retry: {{ attempts: 1 }}
"""


def serve(files):
    """Lists the files as the HMI service does, by their number, and serves their bytes under names with it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            path = urllib.parse.urlsplit(self.path).path
            parts = path.strip("/").split("/")
            if path == "/HMI/files":
                base = f"http://127.0.0.1:{self.server.server_port}/HMI/files/"
                listed = [{"url": base + str(n), "date_obs": "2015-12-11T12:00:00Z"} for n in range(len(files))]
                self.answer(json.dumps(listed).encode(), "application/json")
            elif len(parts) == 3 and parts[2].isdigit():
                file = files[int(parts[2])]
                self.answer(file.read_bytes(), "application/octet-stream", f"{parts[2]}-{file.name}")
            else:
                self.send_error(404)

        def answer(self, body, kind, name=None):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if name:
                self.send_header("Content-Disposition", "attachment; filename*=UTF-8''" + urllib.parse.quote(name, safe=""))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def sunhaul_verdicts(program, files):
    """What sunhaul says of each file: its `checked`, or the class of its failure."""
    server = serve(files)
    with tempfile.TemporaryDirectory() as folder:
        lab = Path(folder)
        (lab / "job.yaml").write_text(MANIFEST.format(port=server.server_port))
        run = [program, "run", "job.yaml", "--report", "report.json"]
        ended = subprocess.run(run, cwd=lab, capture_output=True, text=True)
        if not (lab / "report.json").exists():
            sys.exit(f"compare.py: there is no report:\n{ended.stderr}")
        report = json.loads((lab / "report.json").read_text())
        if report["failures_omitted"] or ended.returncode not in (0, 1, 4):
            sys.exit(f"compare.py: the run ended with {ended.returncode}:\n{ended.stderr}")
        verdicts = {}
        for failure in report["failures"]:
            if failure.get("key") is None:
                sys.exit(f"compare.py: the day failed: {failure}")
            verdicts[number(failure["key"])] = (False, failure["class"])
        state = lab / "data" / ".sunhaul"
        lines = [*state.glob("days/*/*.jsonl"), *state.glob("work/journal/*/*.jsonl")]
        for line in (json.loads(text) for path in lines for text in path.read_text().splitlines()):
            line = line.get("file", line)
            if isinstance(line, dict) and line.get("sha256") and line.get("checked"):
                verdicts[number(line["key"])] = (True, line["checked"])
    server.shutdown()
    return verdicts


def number(key):
    return int(key.rsplit("/", 1)[-1])


def astropy_verdict(path):
    """Whether all data can be read and every DATASUM is right; `None` for no FITS file.

    CHECKSUM is left to fitsverify: astropy computes it over cards that it has written anew, which are other bytes where a
    card is not as astropy would write it (`nan`, lower-case exponents).
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            with fits.open(path, checksum=True, memmap=False, disable_image_compression=True) as hdus:
                for hdu in hdus:
                    hdu.data
        except OSError as error:
            if "No SIMPLE card" in str(error) or "Empty or corrupt" in str(error):
                return None, "no FITS"
            return False, type(error).__name__
        except Exception as error:  # Whatever astropy stumbles over is its verdict.
            return False, type(error).__name__
    words = " ".join(str(warning.message) for warning in said)
    for sign in ("atasum verification failed", "truncated", "non-standard bytes"):
        if sign in words:
            return False, sign
    return True, "sound"


def fitsverify_verdict(path):
    """Whether fitsverify finds the bytes damaged. What it says of single keywords is another matter."""
    ended = subprocess.run(["fitsverify", str(path)], capture_output=True, text=True, errors="replace")
    said = ended.stdout + ended.stderr
    damage = [
        line
        for line in said.splitlines()
        if (line.startswith("*** Error:") and not line.startswith("*** Error:   Keyword #"))
        or (line.startswith("*** Warning:") and "hecksum is not" in line)
    ]
    return not damage, damage[0][4:].strip() if damage else "sound"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, folder = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    verdicts = sunhaul_verdicts(program, files)
    wrong = differ = 0
    for nth, path in enumerate(files):
        is_sound, why = verdicts[nth]
        others = [astropy_verdict(path), fitsverify_verdict(path)]
        if others[0][0] is None:
            others = others[:1]
        if all(verdict in (is_sound, None) for verdict, _ in others):
            continue
        differ += 1
        agree_on_sound = all(verdict for verdict, _ in others)
        is_wrong = is_sound or agree_on_sound
        wrong += is_wrong
        print(f"{'WRONG' if is_wrong else 'differs'}  {path.relative_to(folder)}  sunhaul: {why}  "
              + "  ".join(f"{name}: {text}" for name, (_, text) in zip(("astropy", "fitsverify"), others)))
    print(f"{len(files)} files: {len(files) - differ} alike, {differ} differ, {wrong} of them wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
