"""Validates an RO-Crate with roc-validator and reads it with rocrate: `crate.py FOLDER`.

Prints each rule that it breaks, then what its actions name. Nothing is fetched: rocrate brings along the context that
the metadata name, and no other address is answered.
"""

import logging
import sys
from pathlib import Path

import requests
import rocrate
from rocrate.rocrate import ROCrate
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def answer(_, url, **_more):
    response = requests.Response()
    response.url = url
    response.status_code = 200 if url == CONTEXT else 404
    response.headers["Content-Type"] = "application/ld+json"
    response._content = Path(rocrate.__file__).with_name("data").joinpath("ro-crate.jsonld").read_bytes()
    return response


# Its log repeats the rules, in colours.
logging.disable(logging.CRITICAL)
HttpRequester.get = answer
HttpRequester.head = answer

folder = Path(sys.argv[1])
settings = services.ValidationSettings(
    rocrate_uri=str(folder),
    profile_identifier="ro-crate-1.1",
    requirement_severity=models.Severity.RECOMMENDED,
)
for issue in services.validate(settings).get_issues():
    print(issue.severity.name, issue.message)
for action in ROCrate(folder).get_by_type("CreateAction"):
    made_by = action["instrument"]
    went_by = " and ".join(paper["name"] for paper in action["object"])
    print(action["name"], "by", made_by["name"], made_by["softwareVersion"], "of", went_by)
