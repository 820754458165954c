"""Token buckets: how many requests a caller has left, and when there will be more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from serve_app.middleware.config import Rate

_SWEEP_AT_LEAST = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bucket says of one request.

    Attributes:
        admitted: whether a token was there for it.
        remaining: whole tokens left.
        retry_after_s: until there is a token; 0 where there is one.
        full_after_s: until the bucket is full again.
    """

    admitted: bool
    remaining: int
    retry_after_s: float
    full_after_s: float


class Buckets:
    """A token bucket for each caller, full at first. Memory holds only those that are not full.

    Args:
        clock: seconds, never running backwards.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # A bucket is one number: when it will be full again. Those in the past are full.
        self._full_at_s: dict[str, float] = {}
        self._sweep_at = _SWEEP_AT_LEAST

    def take(self, caller: str, rate: Rate) -> Verdict:
        """Take a token from the bucket of ``caller``, if it holds one."""
        now_s = self._clock()
        per_second = rate.requests_per_minute / 60
        missing = max(0.0, self._full_at_s.get(caller, now_s) - now_s) * per_second
        # Sums of floats: a token that is a billionth short is there.
        admitted = missing + 1 <= rate.burst + 1e-9
        if admitted:
            missing += 1
            self._full_at_s[caller] = now_s + missing / per_second
            self._sweep(now_s)
        tokens = rate.burst - missing
        return Verdict(
            admitted,
            math.floor(tokens + 1e-9),
            max(0.0, 1 - tokens) / per_second,
            missing / per_second,
        )

    def __len__(self) -> int:
        return len(self._full_at_s)

    def _sweep(self, now_s: float) -> None:
        """Forget full buckets, each time their number may have doubled."""
        if len(self._full_at_s) < self._sweep_at:
            return
        self._full_at_s = {who: full_s for who, full_s in self._full_at_s.items() if full_s > now_s}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._full_at_s))
