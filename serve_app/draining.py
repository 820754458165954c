"""Stopping without losing what is in hand: told and shown through a lock that processes share.

Every ingress process holds the lock shared while it answers requests. Whoever stops the service
makes the mark, after which no request is begun, and takes the lock for itself once all are answered.
The kernel frees the locks of processes that die.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "SCRIPTORIUM_DRAIN"
POLL_S = 0.1

_MARK, _LOCK = "draining", "in-hand"


class Gate:
    """The side of one process that answers requests; for a single event loop."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._mark = folder / _MARK
        self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._in_hand = 0

    def enter(self) -> bool:
        """Begin a request; false once the service is being stopped."""
        if self._mark.exists():
            return False
        if self._in_hand == 0:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        self._in_hand += 1
        return True

    def leave(self) -> None:
        """End a request that was begun."""
        self._in_hand -= 1
        if self._in_hand == 0:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def drain(folder: Path, timeout_s: float) -> bool:
    """Let no request begin, and wait for those in hand; whether all of them were answered in time."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / _MARK).touch()
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    ends_s = time.monotonic() + timeout_s
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            if time.monotonic() >= ends_s:
                return False
            time.sleep(POLL_S)
    finally:
        os.close(lock)
