"""Sends the traffic to a service at its times, and keeps what became of every document.

Latency counts from the time at which a document was to be sent, so that a client that falls behind
hides nothing. A refusal (503 with Retry-After) is obeyed, and a connection that breaks or a 5xx is
tried again, as any client does with a request that may be repeated; each such attempt is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from benchmarks.load.documents import Document, draw
from benchmarks.load.traffic import Arrival

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0


@dataclass(slots=True)
class Outcome:
    """What became of one document. ``refusals`` are the attempts that were not answered, by reason."""

    arrival: Arrival
    latency_s: float | None = None
    right: bool = False
    refusals: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def lost(self) -> bool:
        """Whether no attempt was answered."""
        return self.latency_s is None


@dataclass(frozen=True, slots=True)
class Runner:
    """``http`` has the service's address; ``patience_s`` is how long a document is tried again."""

    http: httpx.AsyncClient
    seed: int
    patience_s: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self, traffic: Iterable[Arrival]) -> list[Outcome]:
        """Send everything at its time; answers once every document has its outcome."""
        begun_s = time.monotonic()
        sent: list[asyncio.Task[Outcome]] = []
        for arrival in traffic:
            document = await asyncio.to_thread(draw, arrival, self.seed)
            await self.sleep(max(0.0, begun_s + arrival.at_s - time.monotonic()))
            sent.append(asyncio.create_task(self._send(arrival, document, begun_s + arrival.at_s)))
        return list(await asyncio.gather(*sent))

    async def _send(self, arrival: Arrival, document: Document, due_s: float) -> Outcome:
        outcome = Outcome(arrival)
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                answer = await self.http.post("/ocr", content=document.body)
            except httpx.TransportError as error:
                reason, said = type(error).__name__, ""
            else:
                if answer.status_code < 500:
                    outcome.latency_s = time.monotonic() - due_s
                    outcome.problem = difference(answer, document)
                    outcome.right = not outcome.problem
                    return outcome
                reason, said = _reason(answer), answer.headers.get("Retry-After", "")
            outcome.refusals.append(reason)
            wait_s = float(said) if said.isdigit() else min(2 * wait_s, _LONGEST_WAIT_S)
            if time.monotonic() + wait_s > due_s + self.patience_s:
                outcome.problem = reason
                return outcome
            await self.sleep(wait_s)


def _reason(answer: httpx.Response) -> str:
    """Status and, where the service says it, the kind of problem."""
    try:
        return f"{answer.status_code} {str(answer.json()['type']).rpartition('/')[2]}"
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)


def difference(answer: httpx.Response, document: Document) -> str:
    """What an answer has that the document has not; empty if it is right."""
    if answer.status_code != 200:
        return f"status {answer.status_code}: {answer.text[:200]}"
    (page,) = answer.json()["pages"]
    if page["error"]:
        return f"the page failed: {page['error']['code']}"
    texts = tuple(region["text"] for region in page["regions"])
    kinds = {region["kind"] for region in page["regions"]}
    if texts != document.texts:
        return f"read {texts}, written {document.texts}"
    return "" if kinds <= {document.kind} else f"kinds {sorted(map(str, kinds))}, written {document.kind}"


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts and latencies, of everything or of one phase."""
    latencies = [outcome.latency_s for outcome in outcomes if outcome.latency_s is not None]
    refused = Counter(reason for outcome in outcomes for reason in outcome.refusals)
    percentiles = np.percentile(latencies, [50, 95, 99]) if latencies else [None] * 3
    return {
        "documents": len(outcomes),
        "right": sum(outcome.right for outcome in outcomes),
        "wrong": sum(not outcome.right and not outcome.lost for outcome in outcomes),
        "lost": sum(outcome.lost for outcome in outcomes),
        "retried": sum(bool(outcome.refusals) for outcome in outcomes),
        "refusals": dict(sorted(refused.items())),
        "latency_s": {
            name: None if value is None else round(float(value), 3)
            for name, value in zip(("p50", "p95", "p99"), percentiles, strict=True)
        },
    }
