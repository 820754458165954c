"""Load on a server, in a closed and in an open loop, and what became of every request.

A closed loop has a fixed number of clients, each of which sends its next page when it has the
answer to the last: it shows what the server can do, never more. An open loop sends at times fixed
beforehand whatever the server does, and counts latency from the time a request was due, not from
when it went out: a stall that keeps later requests from being sent is in their latencies (no
coordinated omission).
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.pages import PageFile
from benchmarks.speed.statistics import latencies_ms

OK, BUSY = 200, 503
UNSENT = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due, and how and when it ended, in seconds of the loop's clock.

    ``status`` is 0 where no HTTP answer came; ``retry_after_s`` what a refusal asks to wait.
    """

    page: int
    due_s: float
    done_s: float
    status: int
    retry_after_s: float | None = None

    @property
    def latency_s(self) -> float:
        """Time from when the request was due to its answer."""
        return self.done_s - self.due_s


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client keeps of an HTTP answer."""

    status: int
    retry_after_s: float | None = None


Send = Callable[[PageFile], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Load:
    """The answers of a trial, and the span of them that counts.

    Throughput is that of the answers that came within the span. Latencies are those of the requests
    that were due within it, whenever their answers came.
    """

    answers: tuple[Answer, ...]
    from_s: float
    to_s: float

    def figures(self) -> dict[str, Any]:
        """Throughput (answers within the span), latencies, and refusals with theirs."""
        done = [each for each in self.answers if self.from_s <= each.done_s < self.to_s]
        due = [each for each in self.answers if self.from_s <= each.due_s < self.to_s]
        read = [each.latency_s for each in due if each.status == OK]
        refused = [each for each in due if each.status == BUSY]
        figures: dict[str, Any] = {
            "pages_s": sum(each.status == OK for each in done) / (self.to_s - self.from_s),
            "requests": len(due),
            "read": len(read),
            "refused": len(refused),
            "failed": len(due) - len(read) - len(refused),
            "latency_ms": latencies_ms(read),
        }
        if refused:
            figures["refusal_ms"] = latencies_ms([each.latency_s for each in refused])
            figures["refused_without_retry_after"] = sum(each.retry_after_s is None for each in refused)
        return figures


async def closed_loop(
    send: Send, pages: Sequence[PageFile], clients: int, seconds: float, warm_s: float = 0.0
) -> Load:
    """``clients`` that each wait for their answer; the first ``warm_s`` do not count.

    One that is refused comes again when it was told to. All keep on until the last request of the span
    has its answer, so that the slowest are neither left out nor have the server to themselves.
    """
    clock = asyncio.get_running_loop().time
    answers: list[Answer] = []
    turns = itertools.cycle(range(len(pages)))
    from_s = clock() + warm_s
    to_s = from_s + seconds
    awaited: set[asyncio.Task[Answer]] = set()

    async def client() -> None:
        while True:
            asking = asyncio.create_task(_ask(send, pages, next(turns), clock()))
            if from_s <= clock() < to_s:
                awaited.add(asking)
            answers.append(answer := await asking)
            if answer.status == BUSY:
                await asyncio.sleep(answer.retry_after_s or 0.0)

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    await asyncio.sleep(to_s - clock())
    if awaited:
        await asyncio.wait(awaited)
    await _withdraw(tasks)
    return Load(tuple(answers), from_s, to_s)


async def lone_client(send: Send, pages: Sequence[PageFile], rounds: int) -> dict[int, list[float]]:
    """Latencies in seconds of each page, by its index, sent one at a time ``rounds`` times over."""
    clock = asyncio.get_running_loop().time
    latencies: dict[int, list[float]] = {}
    for page in [*range(len(pages))] * rounds:
        answer = await _ask(send, pages, page, clock())
        if answer.status != OK:
            raise RuntimeError(f"a lone request for {pages[page].name} was answered {answer.status}")
        latencies.setdefault(page, []).append(answer.latency_s)
    return latencies


async def open_loop(
    send: Send,
    pages: Sequence[PageFile],
    rate_hz: float,
    seconds: float,
    *,
    warm_s: float = 0.0,
    drain_s: float = 60.0,
    seed: int = 0,
) -> Load:
    """Requests at the times of a Poisson process of ``rate_hz``; answers are awaited for ``drain_s``."""
    clock = asyncio.get_running_loop().time
    started_s = clock()
    from_s = started_s + warm_s
    to_s = from_s + seconds
    answers: list[Answer] = []
    turns = itertools.cycle(range(len(pages)))
    tasks = []

    async def request(due_s: float) -> None:
        answers.append(await _ask(send, pages, next(turns), due_s))

    for due_s in arrivals_s(started_s, to_s, rate_hz, seed):
        await asyncio.sleep(max(0.0, due_s - clock()))
        tasks.append(asyncio.create_task(request(due_s)))
    await asyncio.sleep(max(0.0, to_s - clock()))
    _, late = await asyncio.wait(tasks, timeout=drain_s) if tasks else ((), ())
    await _withdraw(tasks)
    unanswered = [Answer(0, to_s - 1e-6, clock(), UNSENT) for _ in late]
    return Load((*answers, *unanswered), from_s, to_s)


def arrivals_s(from_s: float, to_s: float, rate_hz: float, seed: int) -> list[float]:
    """Times of a Poisson process, the same ones for the same seed."""
    generator = random.Random(seed)
    times, at_s = [], from_s
    while (at_s := at_s + generator.expovariate(rate_hz)) < to_s:
        times.append(at_s)
    return times


async def _ask(send: Send, pages: Sequence[PageFile], page: int, due_s: float) -> Answer:
    clock = asyncio.get_running_loop().time
    try:
        reply = await send(pages[page])
    except OSError:
        reply = Reply(UNSENT)
    return Answer(page, due_s, clock(), reply.status, reply.retry_after_s)


async def _withdraw(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
