"""One file over a faulty service, fetched by sunhaul and by four downloaders; see scoreboard.sh."""

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

RUNS = 3
LIMIT = 40
NAME = "bench_20151211_000000_TAI.fits"
TIME = "2015-12-11T00:00:00Z"


def card(text):
    return text.ljust(80).encode()


def ones_complement(data):
    total = sum(struct.unpack(">%dI" % (len(data) // 4), data))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def encoded(value):
    """The ASCII form of a checksum (FITS 4.0, appendix J)."""
    value = 0xFFFFFFFF ^ value
    exclude = set(range(0x3A, 0x41)) | set(range(0x5B, 0x61))
    out = [""] * 16
    for i in range(4):
        byte = (value >> (24 - 8 * i)) & 0xFF
        quotient, rest = divmod(byte, 4)
        four = [quotient + 0x30 + rest, quotient + 0x30, quotient + 0x30, quotient + 0x30]
        while any(c in exclude for c in four):
            for j in (0, 2):
                if four[j] in exclude or four[j + 1] in exclude:
                    four[j] += 1
                    four[j + 1] -= 1
        for j in range(4):
            out[4 * j + i] = chr(four[j])
    text = "".join(out)
    return text[-1] + text[:-1]


def fits(seed, side=600):
    """A FITS image with right CHECKSUM and DATASUM; about 700 kB."""
    block = hashlib.sha256(str(seed).encode()).digest()
    data = (block * (side * side * 2 // len(block) + 1))[: side * side * 2]
    data += b"\0" * (-len(data) % 2880)
    cards = [
        card("SIMPLE  =                    T"),
        card("BITPIX  =                   16"),
        card("NAXIS   =                    2"),
        card("NAXIS1  = %20d" % side),
        card("NAXIS2  = %20d" % side),
        card("DATE-OBS= '%s'" % TIME),
        card("DATASUM = '%d'" % ones_complement(data)),
    ]
    def header(checksum):
        text = b"".join(cards + [card("CHECKSUM= '%s'" % checksum), card("END")])
        return text + b" " * (-len(text) % 2880)
    total = ones_complement(header("0" * 16) + data)
    return header(encoded(total)) + data


OLD, NEW = fits(1), fits(2)
FLIPPED = bytes([*OLD[:300_000], OLD[300_000] ^ 1, *OLD[300_001:]])
PAGE = b"<!DOCTYPE html><html><body>The archive is being maintained</body></html>"
HALF = 400_000


class Case:
    """A fault: what it is called, what the file truly is, and the answers in turn, the last of which stays."""

    def __init__(self, name, right, *answers):
        self.name, self.right, self.answers = name, right, answers


def etag(body):
    return '"%s"' % hashlib.sha256(body).hexdigest()[:16]


def whole(body, ranges=True):
    def answer(out, asked):
        tag = etag(body)
        start = asked.get("range")
        fits_if = asked.get("if-range") in (None, tag)
        first = int(re.match(r"bytes=(\d+)-", start).group(1)) if ranges and start and fits_if else 0
        if first >= len(body) > 0:
            out.send(416, [("Content-Range", "bytes */%d" % len(body))], b"")
            return
        headers = [("ETag", tag), ("Accept-Ranges", "bytes")]
        if first:
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, len(body) - 1, len(body))))
        out.send(206 if first else 200, headers, body[first:])
    return answer


def cut(body, how="close"):
    """Half of the body under the length of the whole."""
    def answer(out, asked):
        out.head(200, [("ETag", etag(body)), ("Accept-Ranges", "bytes"), ("Content-Length", len(body))])
        out.raw(body[:HALF])
        out.end(how)
    return answer


def status(code, *headers):
    return lambda out, asked: out.send(code, list(headers), b"no")


def page(out, asked):
    out.send(200, [("Content-Type", "text/html")], PAGE)


def shifted(body):
    """206 from another byte than was asked for."""
    def answer(out, asked):
        start = asked.get("range")
        if not start:
            return cut(body)(out, asked)
        first = max(int(re.match(r"bytes=(\d+)-", start).group(1)) - 1000, 0)
        headers = [("ETag", etag(body)), ("Content-Range", "bytes %d-%d/%d" % (first, len(body) - 1, len(body)))]
        out.send(206, headers, body[first:])
    return answer


def unended(body):
    """Chunks without the last one."""
    def answer(out, asked):
        out.head(200, [("Transfer-Encoding", "chunked")])
        out.raw(b"%x\r\n" % HALF + body[:HALF] + b"\r\n")
        out.end("close")
    return answer


def unframed(body):
    """No length; the connection ends too early."""
    def answer(out, asked):
        out.head(200, [("Connection", "close")])
        out.raw(body[:HALF])
        out.end("close")
    return answer


def zipped(body):
    return lambda out, asked: out.send(200, [("Content-Encoding", "gzip")], gzip.compress(body))


CASES = [
    Case("breaks off once", OLD, cut(OLD), whole(OLD)),
    Case("is reset once", OLD, cut(OLD, "reset"), whole(OLD)),
    Case("stalls once", OLD, cut(OLD, "stall"), whole(OLD)),
    Case("429, Retry-After: 2, then well", OLD, status(429, ("Retry-After", "2")), whole(OLD)),
    Case("503 twice, then well", OLD, status(503), status(503), whole(OLD)),
    Case("changes between two tries", NEW, cut(OLD), whole(NEW)),
    Case("answers ranges from a wrong byte", OLD, cut(OLD), shifted(OLD), whole(OLD)),
    Case("one bit flipped, once", OLD, whole(FLIPPED), whole(OLD)),
    Case("a web page with 200, once", OLD, page, whole(OLD)),
    Case("a web page with 200, always", OLD, page),
    Case("chunks without an end, always", OLD, unended(OLD)),
    Case("no length and an early end, always", OLD, unframed(OLD)),
    Case("gzip that nobody asked for, always", OLD, zipped(OLD)),
]


class Out:
    def __init__(self, connection):
        self.connection = connection

    def head(self, code, headers):
        lines = ["HTTP/1.1 %d X" % code, 'Content-Disposition: attachment; filename=%s' % NAME]
        lines += ["%s: %s" % header for header in headers]
        self.connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def raw(self, data):
        self.connection.sendall(data)

    def send(self, code, headers, body):
        self.head(code, [*headers, ("Content-Length", len(body))])
        self.raw(body)

    def end(self, how):
        if how == "stall":
            # Longer than any of the programs is told to wait.
            self.connection.settimeout(LIMIT)
            try:
                while self.connection.recv(4096):
                    pass
            except OSError:
                pass
        if how == "reset":
            time.sleep(0.1)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError


class Service:
    """Answers one case on a port of its own."""

    def __init__(self, case):
        self.case, self.asked, self.lock = case, 0, threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        out, reader = Out(connection), connection.makefile("rb")
        try:
            while line := reader.readline():
                path, asked = line.split()[1].decode(), {}
                while (header := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode("latin1").partition(":")
                    asked[name.lower()] = value.strip()
                if path.startswith("/HMI/bench?"):
                    listing = json.dumps([{"url": self.url + "/HMI/bench/" + NAME, "date_obs": TIME}])
                    out.connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(listing), listing.encode()))
                    continue
                with self.lock:
                    answer = self.case.answers[min(self.asked, len(self.case.answers) - 1)]
                    self.asked += 1
                answer(out, asked)
        except OSError:
            pass
        finally:
            reader.close()
            connection.close()

    def close(self):
        self.socket.close()


COMMANDS = {
    "curl": "curl -sS --fail --retry 5 --retry-all-errors --retry-max-time 30 --connect-timeout 5 "
            "--speed-limit 1 --speed-time 5 -C - -o FILE URL",
    "wget": "wget -q --tries=5 --continue --timeout=5 --waitretry=2 --retry-connrefused "
            "--retry-on-http-error=429,500,502,503,504 -O FILE URL",
    "wget2": "wget2 -q --no-config --tries=5 --continue --timeout=5 --waitretry=2 --retry-connrefused -O FILE URL",
    "aria2": "aria2c -q --no-conf --continue=true --max-tries=5 --retry-wait=2 --timeout=5 --connect-timeout=5 "
             "--lowest-speed-limit=1 --auto-file-renaming=false -d . -o FILE URL",
}

JOB = """version: 1
name: scoreboard
source: { hmi: { url: "%s" } }
range: { start: 2015-12-11, end: 2015-12-12 }
series: [{ name: bench }]
archive: { root: data, layout: "{series}/{date}/{file}" }
retry: { attempts: 5, max_wait: 2s }
timeouts: { connect: 5s, stall: 5s }
"""


def command(program, sunhaul, url):
    if program == "sunhaul":
        return [sunhaul, "run", "job.yaml"]
    return COMMANDS[program].replace("FILE", NAME).replace("URL", url).split()


def attempt(program, case, sunhaul):
    """What the program is left with after at most three runs."""
    service = Service(case)
    folder = tempfile.mkdtemp(prefix="scoreboard-")
    try:
        with open(os.path.join(folder, "job.yaml"), "w") as job:
            job.write(JOB.replace("/{date}", "/{date:%%Y-%%m-%%d}") % service.url)
        for run in range(1, RUNS + 1):
            call = command(program, sunhaul, "%s/HMI/bench/%s" % (service.url, NAME))
            try:
                code = subprocess.run(call, cwd=folder, capture_output=True, timeout=LIMIT).returncode
            except subprocess.TimeoutExpired:
                return "hangs"
            if code == 0:
                break
        final = os.path.join(folder, "data/bench/2015-12-11" if program == "sunhaul" else "", NAME)
        body = open(final, "rb").read() if os.path.exists(final) else None
        # aria2 marks a file as unfinished by another one beside it.
        marked = os.path.exists(final + ".aria2")
        if body == case.right:
            return ("right" if run == 1 else "right, run %d" % run) if code == 0 else "right, but exit %d" % code
        if body is None or marked:
            return "fails, exit %d" % code if code else "WRONG: nothing, exit 0"
        return "WRONG BYTES, exit 0" if code == 0 else "wrong bytes under the name, exit %d" % code
    finally:
        service.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--sunhaul", required=True)
    options.add_argument("--markdown", action="store_true")
    options = options.parse_args()
    programs = ["sunhaul", *COMMANDS]
    with ThreadPoolExecutor(4) as pool:
        ends = {
            (case.name, program): pool.submit(attempt, program, case, options.sunhaul)
            for case in CASES
            for program in programs
        }
        rows = [[case.name, *(ends[case.name, program].result() for program in programs)] for case in CASES]
    head = ["the service ...", *programs]
    if options.markdown:
        print("| %s |" % " | ".join(head))
        print("|%s" % ("---|" * len(head)))
        for row in rows:
            print("| %s |" % " | ".join(re.sub(r"(WRONG.*|wrong.*|hangs)", r"**\1**", cell) for cell in row))
    else:
        wide = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        for row in [head, *rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, wide)).rstrip())
    print()
    for program, text in COMMANDS.items():
        print("%-6s %s" % (program, text))
    print("sunhaul run job.yaml, with attempts: 5, max_wait: 2s, connect: 5s, stall: 5s; the rest as by default")


main()
