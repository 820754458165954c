"""Waiting for what other processes do, by looking again; fails with what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], enough: Callable[[T], bool], timeout_s: float = 400) -> T:
    """What ``look`` answers once it is enough."""
    deadline_s = time.monotonic() + timeout_s
    while not enough(seen := look()):
        assert time.monotonic() < deadline_s, f"not enough: {seen}"
        time.sleep(0.3)
    return seen
