"""Threads that compute step back for those that answer."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

# The least share of a busy core that Linux gives by niceness (Ray starts its workers at 15).
LAST = 19


def give_way() -> None:
    """Have the calling thread run when nothing else wants the core: others need milliseconds, it seconds.

    An event loop that is not let in between two model steps answers late, refuses late, and seems
    dead to whoever asks after its health. On Linux the thread runs under ``SCHED_IDLE``
    (docs/decisions/0024), or last by niceness where a sandbox refuses that; elsewhere nothing changes.
    """
    if sys.platform == "linux":
        # Here a thread has a niceness and a policy of its own, and its id takes the place of a process's.
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, LAST)
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
