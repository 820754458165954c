"""A decoder process that comes to harm over marked pictures: ``python -m tests.faulty_decoder``.

The mark stands anywhere in the file. What it does happens in native code or beyond Python's reach, as
a bug in a codec would.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serve_app.decoding import wire, worker
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
    """What the kernel does to a process when memory runs out elsewhere."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_once() -> None:
    """The same, and then there is memory again."""
    _once("killed", killed)


def crashed_once() -> None:
    """A heap that an earlier document has damaged."""
    _once("crashed", segfault)


def _once(name: str, fault: Callable[[], None]) -> None:
    mark = Path(tempfile.gettempdir(), f"decoder-{name}-{os.getppid()}")
    if mark.exists():
        mark.unlink()
    else:
        mark.touch()
        fault()


def babble() -> None:
    """Answer with more than any page has to say."""
    wire.regions_message = lambda regions: [{"text": "x" * wire.MAX_MESSAGE_BYTES}]


def leave() -> None:
    """End by oneself, which takes a while."""
    atexit.register(time.sleep, 0.2)
    sys.exit(1)


_ALL = (segfault, abort, hang, balloon, killed, killed_once, crashed_once, babble, leave)
FAULTS: dict[bytes, Callable[[], None]] = {f"<{fault.__name__}>".encode(): fault for fault in _ALL}


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
