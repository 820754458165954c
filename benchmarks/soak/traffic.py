"""What people send, mixed: pages, documents of several pages, streams, damaged files, hasty clients."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import PIL.Image

from deployments.fakes import draw_page

Sample = tuple[float, str, float]
"""Seconds since the start, what was asked, milliseconds it took."""

# What is asked, and how often in a hundred times.
_MIX = {"page": 70, "document": 12, "stream": 8, "damaged": 6, "hasty": 4}
# Fakes may be told to fail on small numbers.
_LEAST = 1000
GIVE_UP_S = 70.0


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

    def _client(self, index: int, pause_s: float, stop: threading.Event) -> None:
        rng = random.Random(f"{index} {time.monotonic()}")
        with httpx.Client(base_url=self._url, timeout=GIVE_UP_S) as http:
            while not stop.is_set():
                refused = self._count(http, rng).startswith("refused")
                stop.wait(max(pause_s, 0.3) if refused else pause_s)

    def _count(self, http: httpx.Client, rng: random.Random) -> str:
        request = Request.drawn(rng)
        began_s = time.monotonic()
        try:
            answer = http.post(
                "/ocr", content=request.body, headers=request.headers, timeout=request.timeout_s
            )
        except httpx.TransportError as error:
            return self.told(request, began_s, error)
        return self.told(request, began_s, answer)

    def told(self, request: Request, began_s: float, answer: httpx.Response | httpx.TransportError) -> str:
        """Count what a request came to, and answer it: ``read``, ``refused: ...``, ``wrong: ...``, ..."""
        spent_ms = (time.monotonic() - began_s) * 1000
        outcome = request.outcome(answer)
        with self._lock:
            self.outcomes[outcome] += 1
            if outcome.startswith(("read", "refused")):
                kind = request.kind if outcome == "read" else "refused"
                self.samples.append((began_s - self._started_s, kind, spent_ms))
        return outcome


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what its pages say."""

    kind: str
    body: bytes
    texts: list[list[str]]

    @classmethod
    def drawn(cls, rng: random.Random) -> Request:
        """One of the mix, with numbers of its own."""
        (kind,) = rng.choices(list(_MIX), list(_MIX.values()))
        pages = 4 if kind in ("document", "stream") else 1
        values = [[rng.randrange(_LEAST, 2**20) for _ in range(4)] for _ in range(pages)]
        body = _tiff(values) if pages > 1 else _png(values[0])
        texts = [[str(value) for value in page] for page in values]
        return cls(kind, body[:90] if kind == "damaged" else body, texts)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with it."""
        return {"Accept": "application/x-ndjson"} if self.kind == "stream" else {}

    @property
    def timeout_s(self) -> float:
        """How long its client waits; a hasty one goes as soon as it has come."""
        return 0.03 if self.kind == "hasty" else GIVE_UP_S

    def outcome(self, answer: httpx.Response | httpx.TransportError) -> str:
        """What came of it, by comparing the answer with what was drawn."""
        if self.kind == "hasty":
            return "hasty"
        if isinstance(answer, httpx.TransportError):
            return f"broken: {type(answer).__name__}"
        if answer.status_code in (503, 504):
            return f"refused: {_reason(answer)}"
        if self.kind == "damaged":
            return "damaged" if answer.status_code == 422 else f"wrong: damaged, {answer.status_code}"
        if answer.status_code != 200:
            return f"wrong: {answer.status_code}"
        read = _streamed(answer) if self.kind == "stream" else answer.json()["pages"]
        texts = [[region["text"] for region in page["regions"]] for page in read]
        # A stream tells of a refusal in its last line.
        if self.kind == "stream" and '"problem":{' in answer.text and texts == self.texts[: len(texts)]:
            return "refused: in the stream"
        return "read" if texts == self.texts else "wrong: text"


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
