"""How long the work for a request may still take, known to all its tasks: stage calls hand it on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

_ENDS_S: ContextVar[float | None] = ContextVar("deadline", default=None)


@asynccontextmanager
async def deadline(limit_s: float) -> AsyncGenerator[None]:
    """Cancel the work inside after ``limit_s``, with TimeoutError; tasks that it starts know the limit."""
    token = _ENDS_S.set(time.monotonic() + limit_s)
    try:
        async with asyncio.timeout(limit_s):
            yield
    finally:
        _ENDS_S.reset(token)


def remaining_s() -> float | None:
    """Seconds that are left, negative ones after the end; None where there is no limit.

    What is handed on is this span, not a time of day: clocks of machines differ, and jump.
    """
    ends_s = _ENDS_S.get()
    return None if ends_s is None else ends_s - time.monotonic()
