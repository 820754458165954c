"""Read a document with nothing but Python's standard library.

    python examples/read.py scan.pdf      prints kind, confidence and text of every line

The exit code is 1 unless every page and every line was read. SCRIPTORIUM_URL is the address of the
service, SCRIPTORIUM_KEY the API key where it asks for one.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

URL = os.environ.get("SCRIPTORIUM_URL", "http://127.0.0.1:8000").rstrip("/")
KEY = os.environ.get("SCRIPTORIUM_KEY")
TRIES = 5
# What Ray Serve or a proxy answers by itself while a part of the service is away.
PASSING = {500, 502, 503, 504}


def post(document: bytes, parameters: str, accept: str) -> HTTPResponse:
    """Send a document; again where that may help, when the service says or after 1, 2, 4, ... seconds.

    Raises RuntimeError with the words of the problem that the service answers with, or without an answer.
    """
    headers = {"Accept": accept, "Content-Type": "application/octet-stream"}
    if KEY:
        headers["Authorization"] = f"Bearer {KEY}"
    request = urllib.request.Request(f"{URL}/ocr?{parameters}", document, headers)
    failure = ""
    for attempt in range(TRIES):
        wait_s = 2.0**attempt
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=120)
            return answer
        except urllib.error.HTTPError as error:
            failure, of_service = words_of(error)
            said = error.headers.get("Retry-After", "")
            if said.isdigit():
                wait_s = float(said)
            elif of_service or error.code not in PASSING:
                break  # A problem of the service says itself when to come back; Serve and proxies do not.
        except (OSError, HTTPException) as error:
            # Also where the service closed the connection on a document that is too large.
            failure = f"{URL} does not take the document: {getattr(error, 'reason', error)}"
        if attempt + 1 < TRIES:
            time.sleep(wait_s)
    raise RuntimeError(failure)


def words_of(error: urllib.error.HTTPError) -> tuple[str, bool]:
    """What a refusal says, and whether it is a problem document of the service."""
    try:
        problem = json.load(error)
        return f"{problem['title']}: {problem['detail']} (request {problem['request_id']})", True
    except (ValueError, KeyError, TypeError, OSError, HTTPException):
        return f"HTTP {error.code}", False


def pages(document: bytes) -> Iterator[dict[str, Any]]:
    """Each page as soon as it is read: the answer is one JSON object a line.

    Raises RuntimeError where the answer ends before its line ``end``: pages are missing then.
    """
    with post(document, "words=true", "application/x-ndjson") as lines:
        try:
            for line in map(json.loads, lines):
                if "page" in line:
                    yield line["page"]
                elif "problem" in line:
                    raise RuntimeError(f"broken off: {line['problem']['detail']}")
                elif "end" in line:
                    return
        except (OSError, HTTPException, json.JSONDecodeError):
            pass  # The connection was lost, or the last line is half of one: told below.
    raise RuntimeError("broken off: the answer has no end; read the document again")


def main(path: str) -> int:
    """Print what stands in a document, and on standard error what could not be read; the exit code."""
    try:
        document = Path(path).read_bytes()
    except OSError as error:
        raise RuntimeError(f"{path}: {error.strerror}") from None
    unread = 0
    for page in pages(document):
        for part in (page, *page["regions"]):
            if part["error"]:
                print(f"page {page['page']}: {part['error']['detail']}", file=sys.stderr)
                unread += 1
            elif part is not page:
                print(page["page"], part["kind"], part["confidence"], part["text"], sep="\t")
    return 1 if unread else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/read.py DOCUMENT")
    try:
        sys.exit(main(sys.argv[1]))
    except RuntimeError as error:
        sys.exit(str(error))
