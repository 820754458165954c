"""Which documents are read now, which wait for their turn, and which are refused at once.

The stages are kept busy by a few documents; more of them there would only hold memory as decoded
pages. The others wait here, as the bytes that came, first come first served. How long a newcomer will
wait is told by Little's law: documents before it, times the time that one takes, over the number read
at a time. Where that leaves too little of its deadline, an early refusal serves the client better
than a late one, and the time is left to documents that can still be answered. Documents without a
deadline are jobs and batches, which keep to a pace of their own: they take no place here.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from deployments.errors import Overloaded

# Share of the newest document in the running mean of what one takes: the last ten or so count.
_NEWEST = 0.15


class TurnLimits(Protocol):
    """The numbers; see ``serve_app.config.Limits``."""

    @property
    def max_documents_in_work(self) -> int: ...
    @property
    def max_wait_share(self) -> float: ...


class TurnObserver(Protocol):
    """Is told of turns; see ``serve_app.observer.Observer``."""

    def turns(self, in_work: int, waiting: int) -> None: ...
    def turn_taken(self, waited_s: float) -> None: ...
    def document_refused(self) -> None: ...


class Turns:
    """Lets documents in, in order; of one event loop.

    Args:
        limits: how many are read at a time, and how long one may be expected to wait.
        observer: is told of everything that is done here.
        clock: seconds; a test passes its own.
    """

    def __init__(
        self, limits: TurnLimits, observer: TurnObserver, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = limits.max_documents_in_work
        self._max_wait_share = limits.max_wait_share
        self._observer = observer
        self._clock = clock
        self._in_work = 0
        # Each is told when its turn came.
        self._waiting: deque[asyncio.Future[float]] = deque()
        self._document_s = 0.0

    @property
    def waiting(self) -> int:
        """Documents that wait for their turn."""
        return len(self._waiting)

    @property
    def expected_wait_s(self) -> float:
        """How long the next document to come would wait; 0 until the first has been read."""
        if self._in_work < self._places:
            return 0.0
        return (len(self._waiting) + 1) * self._document_s / self._places

    async def take(self, left_s: float | None) -> Callable[[], None]:
        """Wait for the turn of a document; answers what to call, once, when it has been read.

        Args:
            left_s: what is left of its deadline; None where it has none, and waits for nobody.

        Raises:
            Overloaded: it would wait for too much of that.
        """
        if left_s is None:
            return lambda: None
        self.refuse_if_late(left_s)
        came_s = self._clock()
        if self._in_work < self._places:
            self._in_work += 1
            begun_s = came_s
        else:
            # The place is taken from now on, though a busy event loop may come back here much later.
            begun_s = await self._wait()
        self._observer.turn_taken(self._clock() - came_s)
        self._tell()

        def leave() -> None:
            spent_s = self._clock() - begun_s
            weight = _NEWEST if self._document_s else 1.0
            self._document_s += weight * (spent_s - self._document_s)
            self._pass_on()
            self._tell()

        return leave

    def refuse_if_late(self, left_s: float) -> None:
        """Raise Overloaded where a document that came now would wait for too much of ``left_s``."""
        wait_s = self.expected_wait_s
        if wait_s <= self._max_wait_share * left_s:
            return
        self._observer.document_refused()
        retry_after_s = math.ceil(max(1.0, wait_s - self._max_wait_share * left_s))
        raise Overloaded(f"{len(self._waiting)} documents are waiting already", retry_after_s)

    async def _wait(self) -> float:
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._tell()
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            self._tell()
            raise

    def _pass_on(self) -> None:
        """Give a place that is free to the document that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(self._clock())
                return
        self._in_work -= 1

    def _tell(self) -> None:
        self._observer.turns(self._in_work, len(self._waiting))
