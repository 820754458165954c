"""What people send, mixed: pages, documents of several pages, streams, damaged files, hasty clients."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import PIL.Image

from deployments.fakes import draw_page

Sample = tuple[float, str, float]
"""Seconds since the start, what was asked, milliseconds it took."""

# What is asked, and how often in a hundred times.
_MIX = {"page": 70, "document": 12, "stream": 8, "damaged": 6, "hasty": 4}
# More than the service lets wait; what finds no thread was not sent, and is told of.
_AT_A_TIME = 1500


class Traffic:
    """Clients that ask one thing after another, compare what they get, and remember how long it took."""

    def __init__(self, url: str, started_s: float) -> None:
        self._url = url
        self._started_s = started_s
        self._lock = threading.Lock()
        self._threads: list[tuple[threading.Thread, threading.Event]] = []
        self.samples: list[Sample] = []
        self.outcomes: Counter[str] = Counter()

    def clients(self, number: int, pause_s: float) -> None:
        """Have this many clients from now on, each with a pause between two requests."""
        for _, stop in self._threads:
            stop.set()
        for thread, _ in self._threads:
            thread.join(90)
        self._threads = []
        for index in range(number):
            stop = threading.Event()
            thread = threading.Thread(target=self._client, args=(index, pause_s, stop), daemon=True)
            self._threads.append((thread, stop))
            thread.start()

    def flood(self, rate_per_s: float, seconds: float) -> float:
        """Requests at a steady rate, whatever becomes of those before; the rate that was kept, per second."""
        rng = random.Random(1)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_AT_A_TIME)
        sent, began_s = 0, time.monotonic()
        with (
            httpx.Client(base_url=self._url, timeout=70, limits=limits) as http,
            ThreadPoolExecutor(_AT_A_TIME) as pool,
        ):
            free = threading.Semaphore(_AT_A_TIME)

            def one(seed: float) -> None:
                try:
                    self._count(http, random.Random(seed))
                finally:
                    free.release()

            while (passed_s := time.monotonic() - began_s) < seconds:
                if sent < rate_per_s * passed_s and free.acquire(timeout=0.1):
                    pool.submit(one, rng.random())
                    sent += 1
                else:
                    time.sleep(0.2 / rate_per_s)
        return sent / seconds

    def _client(self, index: int, pause_s: float, stop: threading.Event) -> None:
        rng = random.Random(f"{index} {time.monotonic()}")
        with httpx.Client(base_url=self._url, timeout=70) as http:
            while not stop.is_set():
                refused = self._count(http, rng).startswith("refused")
                stop.wait(max(pause_s, 0.3) if refused else pause_s)

    def _count(self, http: httpx.Client, rng: random.Random) -> str:
        (kind,) = rng.choices(list(_MIX), list(_MIX.values()))
        began_s = time.monotonic()
        outcome = _ask(http, kind, rng)
        spent_ms = (time.monotonic() - began_s) * 1000
        with self._lock:
            self.outcomes[outcome] += 1
            if outcome.startswith(("read", "refused")):
                kind = kind if outcome == "read" else "refused"
                self.samples.append((began_s - self._started_s, kind, spent_ms))
        return outcome


def _ask(http: httpx.Client, kind: str, rng: random.Random) -> str:
    pages = 4 if kind in ("document", "stream") else 1
    values = [[rng.randrange(2**20) for _ in range(4)] for _ in range(pages)]
    body = _tiff(values) if len(values) > 1 else _png(values[0])
    try:
        if kind == "hasty":
            with suppress(httpx.TimeoutException):
                http.post("/ocr", content=body, timeout=0.03)
            return "hasty"
        if kind == "damaged":
            return "damaged" if http.post("/ocr", content=body[:90]).status_code == 422 else "wrong: damaged"
        headers = {"Accept": "application/x-ndjson"} if kind == "stream" else {}
        answer = http.post("/ocr", content=body, headers=headers)
    except httpx.TransportError as error:
        return f"broken: {type(error).__name__}"
    if answer.status_code in (503, 504):
        return f"refused: {_reason(answer)}"
    if answer.status_code != 200:
        return f"wrong: {answer.status_code}"
    expected = [[str(value) for value in page] for page in values]
    read = _streamed(answer) if kind == "stream" else answer.json()["pages"]
    texts = [[region["text"] for region in page["regions"]] for page in read]
    # A stream tells of a refusal in its last line.
    if kind == "stream" and '"problem":{' in answer.text and texts == expected[: len(texts)]:
        return "refused: in the stream"
    return "read" if texts == expected else "wrong: text"


def _reason(answer: httpx.Response) -> str:
    """The problem's code; of Serve's own refusals, which are plain text, the status."""
    if "problem+json" not in answer.headers["content-type"]:
        return f"a plain {answer.status_code}"
    return str(answer.json()["type"]).rpartition("/")[2]


def _streamed(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [line["page"] for line in lines if line.get("page")]


def _png(values: Sequence[int]) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(draw_page(values)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _tiff(pages: Sequence[Sequence[int]]) -> bytes:
    first, *rest = (PIL.Image.fromarray(draw_page(values)) for values in pages)
    stream = io.BytesIO()
    first.save(stream, "TIFF", compression="tiff_lzw", save_all=True, append_images=rest)
    return stream.getvalue()
