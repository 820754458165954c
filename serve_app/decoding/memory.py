"""Memory for decoded pages: one bound in bytes for all documents of a process.

How large a page is shows only when it is decoded. Each begins with room for the largest that there
may be, gives back what it does not need once it is there, and the rest with the last view of it.

Nobody waits for ever. One page always fits: the bound is at least the largest there may be. And a
page that has its room lets go of it whatever becomes of other pages: decoding, the stages and
whoever makes its picture need none but itself, and end with their deadlines; neither results nor
errors keep it (``serve_app.calls.as_result``, ``serve_app.ordered``), nor what hands pages on
(``serve_app.picturing``, ``serve_app.jobs.work``); clients that take no lines are not waited
for, or given up (``serve_app.streaming``). So nobody who waits is waited for. Of those that wait,
documents without a page come first: they go on though others have many.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from serve_app.pages import BYTES_PER_PIXEL


class MemoryLimits(Protocol):
    """The numbers; see ``serve_app.config.Limits``."""

    @property
    def max_pixels(self) -> int: ...
    @property
    def max_decoded_bytes(self) -> int: ...


@dataclass(slots=True, eq=False)
class Holder:
    """A document, by the number of pages that it has room for."""

    pages: int = 0


@dataclass(slots=True, eq=False)
class Room:
    """Memory taken for one page. Any thread may give it back, in the middle of anything, and twice."""

    memory: PageMemory
    holder: Holder
    size_bytes: int

    def shrink(self, size_bytes: int) -> None:
        """Give back what is over ``size_bytes``."""
        self.memory.give_back(self, size_bytes)

    def free(self) -> None:
        """Give back all of it."""
        self.shrink(0)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    holder: Holder
    turn: asyncio.Future[Room]


class PageMemory:
    """Gives room to pages as long as there is any; of one event loop at a time."""

    def __init__(self, limits: MemoryLimits) -> None:
        self._page_bytes = limits.max_pixels * BYTES_PER_PIXEL
        self._free_bytes = limits.max_decoded_bytes
        self._waiting: deque[_Waiting] = deque()
        # Given back by finalisers, which may run while this thread is anywhere: appends need no lock.
        self._returned: deque[tuple[Room, int]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def take(self, holder: Holder) -> Room:
        """Wait for room for the largest page there may be. It must be freed; a cancelled wait has none."""
        self._loop = asyncio.get_running_loop()
        self._settle()
        if self._free_bytes >= self._page_bytes:
            return self._room(holder)
        waiting = _Waiting(holder, self._loop.create_future())
        self._waiting.append(waiting)
        try:
            return await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.turn.cancelled():
                waiting.turn.result().free()
            raise

    def give_back(self, room: Room, size_bytes: int) -> None:
        """Take back what ``room`` has over ``size_bytes``; for rooms."""
        self._returned.append((room, size_bytes))
        # Where the loop is closed nobody waits.
        with suppress(RuntimeError):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        """Count what came back, and give it to those that wait."""
        while self._returned:
            room, size_bytes = self._returned.popleft()
            left_bytes = min(size_bytes, room.size_bytes)
            self._free_bytes += room.size_bytes - left_bytes
            room.holder.pages -= bool(room.size_bytes and not left_bytes)
            room.size_bytes = left_bytes
        while self._waiting and self._free_bytes >= self._page_bytes:
            first = next((one for one in self._waiting if not one.holder.pages), self._waiting[0])
            self._waiting.remove(first)
            if not first.turn.done():
                first.turn.set_result(self._room(first.holder))

    def _room(self, holder: Holder) -> Room:
        self._free_bytes -= self._page_bytes
        holder.pages += 1
        return Room(self, holder, self._page_bytes)
