"""Asks a HAPI server for data with hapiclient, and prints its names and rows as JSON.

usage: ask_hapiclient.py URL DATASET PARAMETERS START STOP
"""

import json
import sys

from hapiclient import hapi

data, about = hapi(*sys.argv[1:], cache=False, usecache=False)


def cells(row):
    for value in row:
        yield from (value.tolist() if value.ndim else [value.decode() if isinstance(value, bytes) else value.item()])


print(json.dumps({"names": list(data.dtype.names), "rows": [list(cells(row)) for row in data], "HAPI": about["HAPI"]}))
