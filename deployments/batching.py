"""A work-conserving batcher: whenever the model is free it takes what is queued, up to a cost.

Batches are formed when the model can run them, not before, so items that arrive during a step
merge into the next one instead of queueing as small sealed batches (measured against
``@serve.batch`` in docs/decisions/0002-work-conserving-batcher.md). Plain asyncio, one loop, one
step at a time; knows neither Ray nor torch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from deployments.errors import DeadlineExceeded, OcrError, Outcome, StageFailed, StageUnavailable

logger = logging.getLogger(__name__)

# Of the oldest items, for the next step: looking through more would take the model's time.
_CONSIDERED_MAX = 4096


class Sized(Protocol):
    """What the batcher must know of an item: the size of the model's input, in pixels."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...


ItemT = TypeVar("ItemT", bound=Sized)
RawT = TypeVar("RawT")
Run = Callable[[Sequence[ItemT]], Awaitable[Sequence[RawT]]]


class BatchLimits(BaseModel):
    """Bounds of one model step. A single item over ``max_pixels`` still runs, alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_items: int = Field(16, ge=1, description="items in one step")
    max_pixels: int = Field(
        1_000_000, ge=1, description="padded input of one step: items x tallest x widest, pixels"
    )
    max_padding: float = Field(
        0.3, ge=0, lt=1, description="share of a step's input that may be padding, 0 to 1"
    )
    linger_ms: float = Field(
        2.0, ge=0, description="wait for items already on their way, milliseconds; idle adds none"
    )


@dataclass(frozen=True, slots=True)
class Step:
    """What one model step did, for metrics. ``pixels`` are its items' own, without padding.

    ``failed`` items got no output from the model.
    """

    items: int
    pixels: int
    padding: float
    longest_wait_s: float
    run_s: float
    failed: int = 0


@dataclass(slots=True, eq=False)
class _Ticket(Generic[ItemT, RawT]):
    item: ItemT
    future: asyncio.Future[Outcome[RawT]]
    arrived_s: float
    deadline_s: float


class Batcher(Generic[ItemT, RawT]):
    """Groups items of concurrent calls into steps of ``run``.

    Args:
        run: executes one step and answers one output per item, in order. If it raises, the step
            is halved and run again until the item that fails stands alone: a poisoned item, or
            an out-of-memory batch, costs no neighbour its answer.
        limits: bounds of a step; may be replaced at any time, the next step obeys.
        observe: called after every step.
        sleep: waits out the linger; a test passes its own.
    """

    def __init__(
        self,
        run: Run[ItemT, RawT],
        limits: BatchLimits,
        observe: Callable[[Step], None] = lambda step: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.limits = limits
        self._run = run
        self._observe = observe
        self._sleep = sleep
        self._queue: list[_Ticket[ItemT, RawT]] = []
        self._arrival = asyncio.Event()
        self._announced = 0
        self._running_pixels = 0
        self._step_started_s: float | None = None
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def submit(self, items: Sequence[ItemT], deadline_s: float = math.inf) -> list[Outcome[RawT]]:
        """Queue items and wait for all; cancelling the caller withdraws those not yet running.

        Items that no step has taken by ``deadline_s``, of ``time.monotonic``, get DeadlineExceeded.

        Raises:
            StageUnavailable: the batcher is closed.
        """
        if self._closed:
            raise StageUnavailable("The stage is shutting down")
        if not items:
            return []
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="batcher")
        now_s = time.monotonic()
        loop = asyncio.get_running_loop()
        tickets = [_Ticket[ItemT, RawT](item, loop.create_future(), now_s, deadline_s) for item in items]
        self._queue += tickets
        self._arrival.set()
        return list(await asyncio.gather(*(ticket.future for ticket in tickets)))

    @contextlib.contextmanager
    def announce(self) -> Iterator[None]:
        """Tell the batcher that items are being prepared, so that a short queue lingers for them."""
        self._announced += 1
        try:
            yield
        finally:
            self._announced -= 1

    @property
    def queued(self) -> int:
        """Items that wait for a step."""
        return sum(not ticket.future.done() for ticket in self._queue)

    @property
    def pending_pixels(self) -> int:
        """Pixels of the items that wait or are in the model."""
        waiting = (ticket.item for ticket in self._queue if not ticket.future.done())
        return self._running_pixels + sum(item.height * item.width for item in waiting)

    @property
    def alive(self) -> bool:
        """False once the loop has died; true before its first item."""
        return not self._closed and (self._task is None or not self._task.done())

    @property
    def step_age_s(self) -> float:
        """Seconds since the model began what it runs, 0 when it is free.

        Of a step that is halved each part counts by itself: how long the model takes at once shows
        whether it hangs.
        """
        return 0.0 if self._step_started_s is None else time.monotonic() - self._step_started_s

    async def close(self) -> None:
        """Stop; items still queued get StageUnavailable."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for ticket in self._queue:
            if not ticket.future.done():
                ticket.future.set_exception(StageUnavailable("The stage is shutting down"))
        self._queue.clear()

    async def _work(self) -> None:
        while True:
            await self._arrival.wait()
            if self._announced and self._short():
                await self._sleep(self.limits.linger_ms / 1000)
            tickets = self._take()
            if tickets:
                await self._step(tickets)

    def _short(self) -> bool:
        # Half a step or more is worth running now; less is worth a moment's wait.
        return 2 * len(self._queue) < self.limits.max_items

    def _take(self) -> list[_Ticket[ItemT, RawT]]:
        self._drop_late()
        self._queue = [ticket for ticket in self._queue if not ticket.future.done()]
        chosen = select([ticket.item for ticket in self._queue[:_CONSIDERED_MAX]], self.limits)
        tickets = [self._queue[i] for i in chosen]
        taken = set(chosen)
        self._queue = [ticket for i, ticket in enumerate(self._queue) if i not in taken]
        if not self._queue:
            self._arrival.clear()
        return tickets

    def _drop_late(self) -> None:
        now_s = time.monotonic()
        for ticket in self._queue:
            if ticket.deadline_s <= now_s and not ticket.future.done():
                ticket.future.set_result(DeadlineExceeded("The item waited past the request's deadline"))

    async def _step(self, tickets: list[_Ticket[ItemT, RawT]]) -> None:
        started_s = time.monotonic()
        items = [ticket.item for ticket in tickets]
        pixels = self._running_pixels = sum(item.height * item.width for item in items)
        try:
            outcomes = await run_isolated(self._run_timed, items)
        except asyncio.CancelledError:
            self._queue += tickets  # close() answers them with the rest of the queue
            raise
        finally:
            self._step_started_s = None
            self._running_pixels = 0
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if not ticket.future.done():
                ticket.future.set_result(outcome)
        self._observe(
            Step(
                items=len(items),
                pixels=pixels,
                padding=padding(items),
                longest_wait_s=started_s - min(ticket.arrived_s for ticket in tickets),
                run_s=time.monotonic() - started_s,
                failed=sum(isinstance(outcome, StageFailed) for outcome in outcomes),
            )
        )

    async def _run_timed(self, items: Sequence[ItemT]) -> Sequence[RawT]:
        self._step_started_s = time.monotonic()
        return await self._run(items)


def select(items: Sequence[Sized], limits: BatchLimits) -> list[int]:
    """Choose the items of the next step: the oldest, then those nearest to it in size.

    Args:
        items: waiting items, oldest first.
        limits: bounds of the step.

    Returns:
        Indices into ``items``, the oldest first. Empty only for no items.
    """
    if not items:
        return []
    first = items[0]
    by_likeness = sorted(
        range(1, len(items)),
        key=lambda i: (abs(items[i].width - first.width) + abs(items[i].height - first.height), i),
    )
    chosen, tallest, widest, used = [0], first.height, first.width, first.height * first.width
    for i in by_likeness:
        if len(chosen) == limits.max_items:
            break
        item = items[i]
        height, width = max(tallest, item.height), max(widest, item.width)
        padded = (len(chosen) + 1) * height * width
        filled = used + item.height * item.width
        if padded <= limits.max_pixels and padded - filled <= limits.max_padding * padded:
            chosen.append(i)
            tallest, widest, used = height, width, filled
    return chosen


def padding(items: Sequence[Sized]) -> float:
    """Share of a step's input that is padding, 0 to 1."""
    padded = len(items) * max(i.height for i in items) * max(i.width for i in items)
    return 1 - sum(i.height * i.width for i in items) / padded


async def run_isolated(run: Run[ItemT, RawT], items: Sequence[ItemT]) -> list[Outcome[RawT]]:
    """Run a step; if it fails, halve it until each failure stands alone.

    Returns:
        One output or error per item. A step that answers with the wrong number of outputs counts
        as failed, since no output can be trusted to be its item's.
    """
    try:
        outputs = list(await run(items))
        if len(outputs) != len(items):
            raise StageFailed(f"the model gave {len(outputs)} outputs for {len(items)} items")
        return list(outputs)
    except Exception as error:
        if len(items) == 1:
            logger.exception("The model failed on an item of %dx%d", items[0].height, items[0].width)
            return [error if isinstance(error, OcrError) else StageFailed("The model failed on this item")]
        logger.warning("A step of %d items failed (%s): halving it", len(items), type(error).__name__)
    middle = len(items) // 2
    return await run_isolated(run, items[:middle]) + await run_isolated(run, items[middle:])
