"""A decoder process that comes to harm over marked pictures: ``python -m tests.faulty_decoder``.

The mark stands anywhere in the file. What it does happens in native code or beyond Python's reach, as
a bug in a codec would.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Any

from serve_app.decoding import worker
from serve_app.pictures import PictureFile


def segfault() -> None:
    """Read from address 8 in native code."""
    ctypes.string_at(8)


def abort() -> None:
    """What an allocator does that finds its heap corrupted."""
    ctypes.CDLL(None).abort()


def hang() -> None:
    """Never come back from native code."""
    ctypes.CDLL(None).pause()


def balloon() -> None:
    """Ask for more memory than any document may take."""
    bytearray(2**36)


def killed() -> None:
    """What the kernel does to a process when memory runs out elsewhere; the second time it lives."""
    if not os.path.exists(KILLED_ONCE):
        with open(KILLED_ONCE, "x", encoding="ascii"):
            os.kill(os.getpid(), signal.SIGKILL)


KILLED_ONCE = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"killed-once-{os.getppid()}")
FAULTS: dict[bytes, Callable[[], None]] = {
    f"<{fault.__name__}>".encode(): fault for fault in (segfault, abort, hang, balloon, killed)
}


class FaultyPicture(PictureFile):
    """Comes to harm while a page is decoded."""

    def read(self, *args: Any) -> Any:
        for mark, fault in FAULTS.items():
            if mark in self._file.data:
                fault()
        return super().read(*args)


if __name__ == "__main__":
    worker.open_document.__globals__["PictureFile"] = FaultyPicture
    worker.main()
