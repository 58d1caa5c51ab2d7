"""The tutorial's client, unchanged but for the host.

Usage: python3 client.py BASE [SERIES START END]   (writes into the current folder; prints one line per file: SHA-256, name, URL)
Needs python3-requests. Exits with 1 when the list is empty or a file did not come.

What it does not do: anything that a user of the service would not have done in 2015. The names it writes are those that
the server sent, so run it in an empty folder.
"""

import hashlib
import re
import sys

import requests

if len(sys.argv) not in (2, 5):
    print("usage: client.py BASE [SERIES START END], such as client.py http://localhost:8001", file=sys.stderr)
    sys.exit(2)
base = sys.argv[1].rstrip("/")
series, start_date, end_date = sys.argv[2:5] or ("sharp_720s", "2015-12-11T00:00:00Z", "2015-12-12T00:00:00Z")

# ---- from here on as in the tutorial -------------------------------------------------------------------------------

# retrieving list of SHARP images
print('loading SHARP list...', file=sys.stderr)
sharp_list = requests.get("%s/HMI/%s?start=%s&end=%s" % (base, series, start_date, end_date)).json()


# download one file
def download_file(url):
    r = requests.get(url, stream=True)
    dispo = r.headers['content-disposition']
    file_name = re.findall("filename=(.+)", dispo)[0]
    print("downloading %s ..." % file_name, file=sys.stderr)
    if r.status_code == 200:
        with open(file_name, 'wb') as f:
            for chunk in r.iter_content(1024):
                f.write(chunk)
        return file_name


# download every file
sharp_files = map(lambda s: download_file(s['url']), sharp_list)

# ---- to here. Python 3 maps lazily: nothing is downloaded before the result is asked for. ---------------------------

come = 0
for item, name in zip(sharp_list, sharp_files):
    if name is None:
        sys.exit("not downloaded: %s" % item['url'])
    with open(name, 'rb') as f:
        print("%s  %s  %s" % (hashlib.sha256(f.read()).hexdigest(), name, item['url']))
    come += 1
if come == 0:
    sys.exit("the list is empty")
