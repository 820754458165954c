"""Traffic that goes on while something is done to the cluster."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import httpx

from benchmarks.load.runner import Outcome, Runner
from benchmarks.load.traffic import Arrival, Phase, arrivals
from cluster.local_nodes import POLL_S

# A slow machine takes longer, and is no failure.
PATIENCE_S = 240.0
_LONG_S = 24 * 3600.0


class Traffic:
    """Documents of one kind at a rate, from a thread of its own, for as long as it is entered.

    ``sent`` counts them; ``outcomes`` holds what became of each once the traffic has ended.
    """

    def __init__(self, url: str, kind: str, documents_per_s: float, seed: int) -> None:
        rates = (documents_per_s, documents_per_s)
        self._phase = Phase(name=kind, duration_s=_LONG_S, documents_per_s=rates, mix={kind: 1})
        self._url = url
        self._seed = seed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))
        self._begun_s = 0.0
        self.sent = 0
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> Traffic:
        self._begun_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def now_s(self) -> float:
        """Seconds since it began, as ``Arrival.at_s`` counts them."""
        return time.monotonic() - self._begun_s

    def wait_for_more(self, number: int) -> None:
        """Wait until that many more documents have come."""
        enough = self.sent + number
        wait_for(lambda: self.sent >= enough, f"{number} more documents")

    def _coming(self) -> Iterator[Arrival]:
        for arrival in arrivals([self._phase], self._seed):
            if self._ending.is_set():
                return
            yield arrival
            self.sent += 1

    async def _send(self) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE_S, limits=limits) as http:
            self.outcomes = await Runner(http, self._seed, PATIENCE_S).run(self._coming())


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look until something is so.

    Raises:
        TimeoutError: it is not so within ``PATIENCE_S``.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"never came: {what}")
        time.sleep(POLL_S)
