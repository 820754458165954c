"""Threads that compute step back for those that answer."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

# The least share of a busy core that Linux gives (Ray starts its workers at 15).
LAST = 19


def give_way() -> None:
    """Have the calling thread run last where cores are short: others need milliseconds, it works for long.

    An event loop that is not let in between two model steps answers late, refuses late, and seems
    dead to whoever asks after its health.
    """
    if sys.platform == "linux":
        # Here a thread has a niceness of its own, and its id takes the place of a process's.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST)
