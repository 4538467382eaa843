#!/usr/bin/env python3
"""The whole flow with Python's standard library: what may be asked, a small report, a job and its file,
a cancelled job, an error.

    WAYBILL_URL=http://localhost:8080 WAYBILL_KEY=waybill_… python3 examples/export.py
"""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("WAYBILL_URL", "http://localhost:8080")
REPORTS = f"{URL}/v1/reports/query/export"
KEY = os.environ.get("WAYBILL_KEY")
MONTH = {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"}


class Problem(Exception):
    """A problem document: what is wrong with a request, for people and programs."""

    def __init__(self, document):
        super().__init__(document.get("detail") or document["title"])
        self.document = document


def ask(method, url, body=None, headers=None):
    """Returns the answer's JSON. Comes back when it is told to (429, 503); raises any other problem."""
    headers = {"content-type": "application/json", **(headers or {})}
    if KEY:
        headers["authorization"] = f"Bearer {KEY}"
    data = None if body is None else json.dumps(body).encode()
    while True:
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in (429, 503):
                raise Problem(problem) from None
            time.sleep(problem.get("retry_after_seconds", 5))


def start(**headers):
    """Asks for every row, as a job."""
    query = {"dataset": "session_rows", "dimensions": ["session_id", "status", "cost"], "limit": None, "time_range": MONTH}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask("POST", REPORTS, {"query": query}, {"prefer": "respond-async", **headers})


catalog = ask("GET", f"{URL}/v1/reports/catalog")
print("datasets:", ", ".join(dataset["name"] for dataset in catalog["datasets"]))

# Small: the file is in the answer. (What takes too long is answered with a job as well: then there is no content.)
query = {"dataset": "sessions", "dimensions": ["status"], "measures": ["session_count"], "time_range": MONTH,
         "order_by": [{"dimension": "status"}]}
print(ask("POST", REPORTS, {"query": query})["content"], end="")

# Large: a job. With the same key the same request is answered with the same job, should an answer get lost.
key = str(uuid.uuid4())
export = start(idempotency_key=key)
if start(idempotency_key=key)["id"] == export["id"]:
    print("asked twice: one job")

# Held until it has ended, for up to 30 seconds at a time.
while True:
    export = ask("GET", export["self_url"], headers={"prefer": "wait=30"})
    if export["retry_after_seconds"] is None:
        break
    time.sleep(export["retry_after_seconds"])
print(f"{export['status']}: {export['row_count']} rows")
if export["status"] != "completed":
    raise SystemExit(export["error"])

# The link holds its own permission: no key. A file that is not whole is no file.
digest = hashlib.sha256()
with urllib.request.urlopen(export["download"]["url"], timeout=60) as answer, open(export["filename"], "wb") as file:
    while part := answer.read(1 << 20):
        digest.update(part)
        file.write(part)
if digest.hexdigest() != export["checksum"]["value"]:
    raise SystemExit(f"{export['filename']}: not the file that was made")
print(f"{export['filename']}: OK")

# Another one, not wanted any more. It may have ended meanwhile.
other = start(cache_control="no-cache")
try:
    print(ask("POST", other["self_url"] + "/cancel")["status"])
except Problem as problem:
    if problem.document["code"] != "export_already_finished":
        raise
    print("completed")
ask("DELETE", other["self_url"])

# Every fault of a request at once, each with its place.
try:
    ask("POST", REPORTS, {"query": {"dataset": "sessions", "dimensions": ["state"], "limit": -1, "time_range": MONTH}})
except Problem as problem:
    print(problem.document["status"], problem.document["code"])
    for fault in problem.document["errors"]:
        print(" ", fault["pointer"], fault["code"])
