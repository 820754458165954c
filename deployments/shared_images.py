"""Images that pass between processes of one machine in shared memory, beside Ray.

The sender copies the images of a call into a memory file and sends where that is; the receiver maps
it through ``/proc`` and reads in place. Costs of the ways a call can go: docs/decisions/0016. Files
vanish with the last process that holds them, whatever becomes of the sender. Where receiver and
sender do not share a machine (or a process namespace), :class:`NotShared` says so, and the sender
has to send the images themselves.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import mmap
import os
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from deployments.errors import StageFailed
from deployments.types import Image

# Larger files are not kept: a few large pages must not fill the memory for good.
MAX_KEPT_BYTES = 32 * 2**20
_NAME = "images"
_TOKEN_BYTES = 16
# Images begin at whole cache lines.
_ALIGNMENT = 64

ItemT = TypeVar("ItemT")


class NotShared(StageFailed):
    """The receiver cannot reach the sender's memory."""


@dataclass(frozen=True, slots=True)
class SharedImages:
    """Where the images of a call are.

    Args:
        process: id of the process that holds the file.
        descriptor: of the file, in that process.
        token: what stands at the file's beginning. Another machine may have a process and a file of
            the same numbers.
        shapes: ``(H, W, C)`` of each image.
    """

    process: int
    descriptor: int
    token: bytes
    shapes: tuple[tuple[int, ...], ...]

    def open(self) -> list[Image]:
        """The images, ``uint8 (H, W, C)``, read-only and valid for as long as they are held.

        Raises:
            NotShared: the file is not there, or is another one.
        """
        try:
            content = _map(f"/proc/{self.process}/fd/{self.descriptor}")
        except (OSError, ValueError) as error:
            raise NotShared("The images are not on this machine") from error
        places, size = _places(self.shapes)
        if content.size < size or content[:_TOKEN_BYTES].tobytes() != self.token:
            raise NotShared("The images are not on this machine")
        return [
            content[place : place + math.prod(shape)].reshape(shape)
            for place, shape in zip(places, self.shapes, strict=True)
        ]


def received(items: Sequence[ItemT] | SharedImages) -> Sequence[ItemT]:
    """The items of a call, wherever they are. Raises NotShared as :meth:`SharedImages.open` does."""
    return items.open() if isinstance(items, SharedImages) else items  # type: ignore[return-value]


def memory_file(name: str) -> int:
    """Descriptor of a new memory file, which may grow but not shrink."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    # A file that shrank under its reader would end the reader's process.
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return descriptor


class SharedBuffers:
    """Memory files that calls take turns with: writing fresh memory costs several times as much.

    ``kept`` files at most stay while no call needs them.
    """

    def __init__(self, kept: int = 4) -> None:
        self._kept = kept
        # Calls come from several threads; single steps of a deque need no lock.
        self._free: deque[_File] = deque()

    @contextlib.contextmanager
    def lend(self, images: Sequence[Image]) -> Iterator[SharedImages]:
        """Images in shared memory, for the time of a call.

        After a call that failed nobody knows whether its receiver still reads: the file is dropped,
        and lasts for as long as the receiver holds it.
        """
        try:
            file = self._free.pop()
        except IndexError:
            file = _File()
        try:
            yield file.write(images)
        except BaseException:
            file.close()
            raise
        if len(self._free) < self._kept and file.size_bytes <= MAX_KEPT_BYTES:
            self._free.append(file)
        else:
            file.close()
        if not self._kept:
            # Closed by another thread meanwhile, perhaps.
            self._drop_free()

    def close(self) -> None:
        """Keep no files any more: neither those that are free, nor those that calls under way give back."""
        self._kept = 0
        self._drop_free()

    def _drop_free(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._free.pop().close()


class _File:
    """A memory file, as large as the most that was in it."""

    def __init__(self) -> None:
        self._descriptor = memory_file(_NAME)
        self._content = np.empty(0, np.uint8)

    @property
    def size_bytes(self) -> int:
        return self._content.size

    def write(self, images: Sequence[Image]) -> SharedImages:
        shapes = tuple(image.shape for image in images)
        places, size = _places(shapes)
        if size > self.size_bytes:
            os.ftruncate(self._descriptor, size)
            self._content = np.frombuffer(mmap.mmap(self._descriptor, size), np.uint8)
        token = secrets.token_bytes(_TOKEN_BYTES)
        self._content[:_TOKEN_BYTES] = np.frombuffer(token, np.uint8)
        for place, image in zip(places, images, strict=True):
            self._content[place : place + image.size].reshape(image.shape)[...] = image
        return SharedImages(os.getpid(), self._descriptor, token, shapes)

    def close(self) -> None:
        os.close(self._descriptor)
        self._content = np.empty(0, np.uint8)


def _map(path: str) -> npt.NDArray[np.uint8]:
    # On another machine the same path may be a pipe, and opening that may wait for ever.
    if not os.readlink(path).startswith(f"/memfd:{_NAME}"):
        raise ValueError(f"{path}: no file of ours")
    with open(path, "rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ), np.uint8)


def _places(shapes: Sequence[tuple[int, ...]]) -> tuple[list[int], int]:
    """Where each image begins, and the size of the whole file, in bytes."""
    places, end = [], _TOKEN_BYTES
    for shape in shapes:
        begin = -(-end // _ALIGNMENT) * _ALIGNMENT
        places.append(begin)
        end = begin + math.prod(shape)
    return places, end
