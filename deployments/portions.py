"""What a stage does to items before and after the model: in a small pool of threads, in portions."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from deployments.errors import DeadlineExceeded, OcrError, Outcome, StageFailed
from deployments.threads import give_way

logger = logging.getLogger(__name__)

THREADS = 2
PORTION_ITEMS = 16
"""Items in one go of a thread."""

InT = TypeVar("InT")
OutT = TypeVar("OutT")
ListStep = Callable[[Sequence[InT]], list[Outcome[OutT]]]


class Portions:
    """Runs list steps portion by portion, so that a hang is told from a page of many lines.

    Between portions other calls have their turn, and one that was cancelled or is too late ends.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare", initializer=give_way)
        self._since_s: dict[int, float] = {}  # when each thread began what it does

    async def run(
        self, step: ListStep[InT, OutT], values: Sequence[InT], deadline_s: float = math.inf
    ) -> list[Outcome[OutT]]:
        """One outcome a value, in order; DeadlineExceeded for what has not begun by ``deadline_s``.

        ``deadline_s`` is one of ``time.monotonic``. An exception of the step befalls its own item only.
        """
        loop = asyncio.get_running_loop()
        answers: list[Outcome[OutT]] = []
        for first in range(0, len(values), PORTION_ITEMS):
            portion = values[first : first + PORTION_ITEMS]
            if time.monotonic() < deadline_s:
                answers += await loop.run_in_executor(self._threads, self._timed, step, portion)
            else:
                late = DeadlineExceeded("The item was not prepared and finished by the request's deadline")
                answers += [late] * len(portion)
        return answers

    @property
    def age_s(self) -> float:
        """Seconds that the oldest of the portions now running has been running; 0 without any."""
        # A copy: threads come and go meanwhile.
        begun_s = tuple(self._since_s.values())
        return time.monotonic() - min(begun_s) if begun_s else 0.0

    def close(self) -> None:
        """Let the threads end, without waiting for what they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _timed(self, step: ListStep[InT, OutT], values: Sequence[InT]) -> list[Outcome[OutT]]:
        thread = threading.get_ident()
        self._since_s[thread] = time.monotonic()
        try:
            return _guarded(step, values)
        finally:
            del self._since_s[thread]


def _guarded(step: ListStep[InT, OutT], values: Sequence[InT]) -> list[Outcome[OutT]]:
    """Run an engine's list step; should it raise after all, find out for which item."""
    try:
        answers = step(values)
        if len(answers) == len(values):
            return answers
        raise StageFailed(f"the engine gave {len(answers)} answers for {len(values)} items")
    except Exception as error:
        if len(values) > 1:
            return [answer for value in values for answer in _guarded(step, [value])]
        logger.exception("The engine failed on an item")
        return [error if isinstance(error, OcrError) else StageFailed()]
