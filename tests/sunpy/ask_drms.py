"""Asks a JSOC for a record set and for exports of it, as the users of the drms package do, and prints what it got as JSON.

usage: ask_drms.py URL EMAIL RECORD_SET KEYWORDS SEGMENTS EXPORT_SET FOLDER

The exported files go below FOLDER, into one folder for each protocol.
"""

import json
import sys
from pathlib import Path

import drms

url, email, records, keywords, segments, export_set, folder = sys.argv[1:]
server = drms.ServerConfig(
    name="test",
    cgi_baseurl=f"{url}/cgi-bin/ajax/",
    cgi_jsoc_info="jsoc_info",
    cgi_jsoc_fetch="jsoc_fetch",
    cgi_check_address="checkAddress.sh",
    http_download_baseurl=f"{url}/",
)
client = drms.Client(server, email=email)
# drms reads hexadecimal texts only where pandas has them as objects, as it did before its version 3.
keys, paths = client.query(records, key=keywords, seg=segments, skip_conversion="QUALITY", rec_index=True)
keys["QUALITY"] = [int(text, 16) for text in keys["QUALITY"]]
rows = json.loads(keys.to_json(orient="index"))
for name, row in json.loads(paths.to_json(orient="index")).items():
    rows[name]["segments"] = row

exports = {}
for protocol, method in [("as-is", "url_quick"), ("fits", "url")]:
    request = client.export(export_set, method=method, protocol=protocol)
    request.wait(sleep=0.1)
    target = Path(folder, protocol)
    target.mkdir(parents=True)
    exports[protocol] = {"id": request.id, "records": list(request.download(target)["record"])}

one = client.query(records, key="T_REC", n=1)
nothing = client.query(records.replace("[]", "[999999]", 1), key="T_REC")
print(
    json.dumps(
        {
            "prime_keys": client.pkeys(records),
            "segments": list(client.info(records).segments.index),
            "rows": rows,
            "exports": exports,
            "first": len(one),
            "nothing": len(nothing),
        }
    )
)
