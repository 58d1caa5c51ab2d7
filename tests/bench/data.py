#!/usr/bin/env python3
"""Makes the benchmark's upstream: files, the v1 listing that names them, and the same URLs as lists for the peers.

usage: data.py FOLDER BASE_URL COUNT BYTES [--fits]

Writes FOLDER/www/HMI/bench/*, FOLDER/list.json, FOLDER/urls and FOLDER/curl.conf (which puts its files under the
working directory). All lie within 2015-12-11. With --fits each is a whole FITS file with right checksums.
"""

import datetime
import json
import os
import pathlib
import sys

BLOCK = 2880
WORDS = 2**32 - 1  # a sum of 32-bit words with end-around carry is a remainder by this


def card(keyword, value, text=False):
    shown = f"'{value:<8}'" if text else f"{value:>20}"
    return f"{keyword:<8}= {shown}".ljust(80)


def checksum_text(total):
    """The 16 characters that make an HDU's sum all ones (FITS standard, appendix J)."""
    left = WORDS - total
    rows = []
    for shift in (24, 16, 8, 0):
        byte = left >> shift & 0xFF
        four = [byte // 4 + 48 + (byte % 4 if i == 0 else 0) for i in range(4)]
        # No sign between digits and letters: shift pairs apart until there is none.
        while any(58 <= c <= 64 or 91 <= c <= 96 for c in four):
            for i in (0, 2):
                if any(58 <= c <= 64 or 91 <= c <= 96 for c in four[i : i + 2]):
                    four[i] += 1
                    four[i + 1] -= 1
        rows.append(four)
    text = "".join(chr(rows[byte][column]) for column in range(4) for byte in range(4))
    return text[-1] + text[:-1]


def fits(size):
    """About `size` bytes: one image of bytes with DATASUM and CHECKSUM."""
    length = max(1, size // BLOCK - 1) * BLOCK
    data = os.urandom(length)
    datasum = int.from_bytes(data, "big") % WORDS

    def header(checksum):
        cards = [
            card("SIMPLE", "T"),
            card("BITPIX", 8),
            card("NAXIS", 1),
            card("NAXIS1", length),
            card("DATE-OBS", "2015-12-11T00:00:00", text=True),
            card("DATASUM", datasum, text=True),
            card("CHECKSUM", checksum, text=True),
            "END".ljust(80),
        ]
        return "".join(cards).ljust(BLOCK).encode()

    total = (int.from_bytes(header("0" * 16), "big") + datasum) % WORDS
    return header(checksum_text(total)) + data


def main():
    folder, base, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    is_fits = "--fits" in sys.argv[5:]
    folder = pathlib.Path(folder)
    www = folder / "www" / "HMI" / "bench"
    www.mkdir(parents=True)
    midnight = datetime.datetime(2015, 12, 11)
    items, urls = [], []
    for number in range(count):
        at = midnight + datetime.timedelta(seconds=number * 86400 // count)
        name = f"bench_{at:%Y%m%d_%H%M%S}_{number}.{'fits' if is_fits else 'dat'}"
        (www / name).write_bytes(fits(size) if is_fits else os.urandom(size))
        urls.append(f"{base}/HMI/bench/{name}")
        items.append({"url": urls[-1], "date_obs": f"{at:%Y-%m-%dT%H:%M:%S}.000000Z"})
    (folder / "list.json").write_text(json.dumps(items))
    (folder / "urls").write_text("".join(f"{url}\n" for url in urls))
    pairs = (f'url = "{url}"\noutput = "{url.rsplit("/", 1)[1]}"\n' for url in urls)
    (folder / "curl.conf").write_text("".join(pairs))


main()
