"""Clients that ask for pages of numbers, each of its own, and compare every answer with what was drawn."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import PIL.Image

from deployments.fakes import draw_page

# Numbers below are kept for pages that are to come to harm.
FIRST_NUMBER = 1000
LINES = 3
GIVE_UP_S = 90.0
_PAUSE_S = 0.3


@dataclass(slots=True)
class Tally:
    """What became of the requests since the last one was taken.

    ``repeated`` counts answers after which a client asks again: refusals that say when to come back,
    connections that broke, and answers of the proxy for an ingress that died. ``lost`` requests had no
    reading in time, however often they were asked again; ``wrong`` ones had another page's text, or
    another number of lines.
    """

    requests: int = 0
    refused: int = 0
    broken: int = 0
    lost: int = 0
    wrong: int = 0
    slowest_s: float = 0.0
    strangest: dict[str, int] = field(default_factory=dict)


class Load:
    """Requests from several clients, one after another each, until the ``with`` block ends.

    What is not read within ``give_up_s`` counts as lost.
    """

    def __init__(self, url: str, clients: int = 6, give_up_s: float = GIVE_UP_S) -> None:
        self._url = url
        self._give_up_s = give_up_s
        self._numbers = itertools.count(FIRST_NUMBER)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._tally = Tally()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(self._give_up_s + 30)

    def take(self) -> Tally:
        """What was counted since the last time."""
        with self._lock:
            tally, self._tally = self._tally, Tally()
            return tally

    def _client(self) -> None:
        with httpx.Client(base_url=self._url, timeout=70) as http:
            while not self._stop.is_set():
                with self._lock:
                    first = next(self._numbers) * LINES % 2**20
                values = [(first + line) % 2**20 for line in range(LINES)]
                self._ask(http, values)

    def _ask(self, http: httpx.Client, values: list[int]) -> None:
        started_s = time.monotonic()
        page, expected = page_of(values), [str(value) for value in values]
        while (outcome := attempt(http, page, expected)) in ("refused", "broken"):
            with self._lock:
                self._tally.refused += outcome == "refused"
                self._tally.broken += outcome == "broken"
            if time.monotonic() - started_s > self._give_up_s or self._stop.is_set():
                outcome = "lost" if not self._stop.is_set() else "read"
                break
            time.sleep(_PAUSE_S)
        with self._lock:
            self._tally.requests += 1
            self._tally.lost += outcome == "lost"
            self._tally.wrong += outcome.startswith("wrong")
            self._tally.slowest_s = max(self._tally.slowest_s, time.monotonic() - started_s)
            if outcome != "read":
                self._tally.strangest[outcome] = self._tally.strangest.get(outcome, 0) + 1


def page_of(values: list[int]) -> bytes:
    """A page of numbers as PNG."""
    stream = io.BytesIO()
    PIL.Image.fromarray(draw_page(values)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def attempt(
    http: httpx.Client, page: bytes, expected: list[str], headers: Mapping[str, str] | None = None
) -> str:
    """``read``, ``refused``, ``broken``, or ``wrong: ...``, for one request."""
    try:
        answer = http.post("/ocr", content=page, headers=headers)
    except httpx.TransportError:
        return "broken"
    if answer.status_code != 200:
        if "problem+json" not in answer.headers.get("content-type", ""):
            return "broken"
        return "refused" if answer.status_code in (503, 504) else f"wrong: status {answer.status_code}"
    (read,) = answer.json()["pages"]
    texts = [region["text"] for region in read["regions"]]
    if texts == expected:
        return "read"
    errors = {region["error"]["code"] for region in read["regions"] if region["error"]}
    if read["error"]:
        errors.add(read["error"]["code"])
    return f"wrong: {sorted(errors)}" if errors else "wrong: other text"
