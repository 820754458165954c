"""Shared memory that decoders write pages into and the ingress reads them from, without copying.

Fresh memory costs more than writing it (docs/decisions/0007-decoders-in-processes.md), so a buffer
is taken again as soon as nobody holds the page that was in it.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from collections import deque
from typing import Any

import numpy as np

from deployments.shared_images import memory_file
from deployments.types import Image
from serve_app.decoding.protocols import PageRoom

# Larger ones are given back: a few large pages must not fill the memory for good.
MAX_KEPT_BYTES = 64 * 2**20


class PageBuffer:
    """One piece of shared memory, as large as the largest page that was in it."""

    def __init__(self) -> None:
        self.descriptor = memory_file("page")
        self._bytes = np.empty(0, np.uint8)

    @property
    def size_bytes(self) -> int:
        """What it occupies."""
        return os.fstat(self.descriptor).st_size

    def pixels(self, height_px: int, width_px: int) -> Image:
        """The page in it, ``uint8 (H, W, 3)``, read-only. Raises ValueError if it is not so large."""
        shape = (height_px, width_px, 3)
        wanted, there = math.prod(shape), self.size_bytes
        if min(shape) < 1 or wanted > there:
            raise ValueError(f"a page of {width_px} x {height_px} px in {there} bytes")
        if wanted > self._bytes.size:
            self._bytes = np.frombuffer(mmap.mmap(self.descriptor, there, prot=mmap.PROT_READ), np.uint8)
        return self._bytes[:wanted].reshape(shape)

    def close(self) -> None:
        """Give it back; pages in it stay readable while somebody holds them."""
        os.close(self.descriptor)
        self._bytes = np.empty(0, np.uint8)


class PageBuffers:
    """Buffers that are free; ``kept`` of them at most."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        # Given back by whichever thread drops the last view of a page: appends need no lock.
        self._free: deque[PageBuffer] = deque()

    def take(self) -> PageBuffer:
        """A free buffer, or a new one."""
        try:
            return self._free.pop()
        except IndexError:
            return PageBuffer()

    def give_back(self, buffer: PageBuffer) -> None:
        """Take a buffer back that nobody reads any more."""
        if len(self._free) < self._kept and buffer.size_bytes <= MAX_KEPT_BYTES:
            self._free.append(buffer)
        else:
            buffer.close()

    def lend(self, buffer: PageBuffer, height_px: int, width_px: int, room: PageRoom) -> Image:
        """The page in a buffer, which comes back when the last array over it is gone, as its room does."""
        lease = _Lease(buffer.pixels(height_px, width_px))
        # What the buffer occupies, which may have held a larger page before.
        room.shrink(buffer.size_bytes)
        weakref.finalize(lease, self._let_go, buffer, room).atexit = False
        return np.asarray(lease)

    def close(self) -> None:
        """Give back the free ones, and those in use once they are free."""
        self._kept = 0
        while self._free:
            self._free.pop().close()

    def _let_go(self, buffer: PageBuffer, room: PageRoom) -> None:
        self.give_back(buffer)
        room.free()


class _Lease:
    """What all arrays over a page lead back to: numpy keeps it alive as their base."""

    def __init__(self, pixels: Image) -> None:
        self._pixels = pixels

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._pixels.__array_interface__
