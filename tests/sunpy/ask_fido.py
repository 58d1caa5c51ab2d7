"""Searches a JSOC and fetches what was found with Fido of sunpy, which speaks to it through drms, and prints it as JSON.

usage: ask_fido.py URL EMAIL SERIES START END SEGMENTS FOLDER

START and END are in TAI.
"""

import json
import sys
from functools import reduce
from operator import and_

import drms
from astropy.time import Time
from drms import config

url, email, series, start, end, segments, folder = sys.argv[1:]
# sunpy names no server, so drms takes the one that is registered as JSOC.
del config._server_configs["jsoc"]
drms.register_server(
    drms.ServerConfig(
        name="JSOC",
        cgi_baseurl=f"{url}/cgi-bin/ajax/",
        cgi_jsoc_info="jsoc_info",
        cgi_jsoc_fetch="jsoc_fetch",
        cgi_check_address="checkAddress.sh",
        http_download_baseurl=f"{url}/",
    )
)

from sunpy.net import Fido
from sunpy.net import attrs as a

found = Fido.search(
    a.Time(Time(start, scale="tai"), Time(end, scale="tai")),
    a.jsoc.Series(series),
    a.jsoc.Notify(email),
    reduce(and_, [a.jsoc.Segment(segment) for segment in segments.split(",")]),
)["jsoc"]
columns = ["HARPNUM", "T_REC", *segments.split(",")]
rows = [{column: str(row[column]) for column in columns} for row in found]
fetched = Fido.fetch(found, path=f"{folder}/{{file}}", progress=False, sleep=0)
print(json.dumps({"rows": rows, "fetched": len(fetched), "errors": [str(error) for error in fetched.errors]}))
