"""Calling the stages: what each call took, several side by side, and what a failed one leaves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from deployments.errors import OcrError, Outcome, RetryLater
from deployments.tracing import span
from deployments.types import Image

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Clock:
    """Wall time that a page spent in each stage; stages that ran side by side overlap.

    ``on_begin`` is called with the name of every stage that begins.
    """

    def __init__(self, on_begin: Callable[[str], None] | None = None) -> None:
        self.spent_ms: dict[str, float] = {}
        self._on_begin = on_begin

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if self._on_begin is not None:
            self._on_begin(stage)
        started_s = time.perf_counter()
        try:
            with span(stage, stage=stage):
                yield
        finally:
            spent_ms = (time.perf_counter() - started_s) * 1000
            self.spent_ms[stage] = round(self.spent_ms.get(stage, 0.0) + spent_ms, 2)

    async def timed(self, stage: str, work: Awaitable[T]) -> T:
        with self(stage):
            return await work


def log_failures(outcomes: Sequence[Outcome[Any]]) -> None:
    """Write one record for the items of a call that failed, if any, by code.

    Called within the spans of page and stage: the record has both of them, beside the request's id.
    """
    codes = Counter(outcome.code for outcome in outcomes if isinstance(outcome, OcrError))
    if codes:
        fields = {"failed": codes.total(), "items": len(outcomes), "codes": " ".join(sorted(codes))}
        logger.warning("items failed", extra={"ray_serve_extra_fields": fields})


async def each(
    stage: Callable[[list[Image]], Awaitable[list[Outcome[T]]]], crops: list[Image]
) -> list[Outcome[T]]:
    """Call a stage; if the call as a whole fails for good, every crop carries that error."""
    try:
        outcomes = await stage(crops)
    except RetryLater:
        raise
    except OcrError as error:
        outcomes = [as_result(error)] * len(crops)
    log_failures(outcomes)
    return outcomes


def as_result(error: OcrError) -> OcrError:
    """An error that is kept as a result: without the frames that it went through, and the pages in them."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


async def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run coroutines side by side; the first failure withdraws the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(item) for item in work]
    except BaseExceptionGroup as error:
        raise _first(error) from error
    return [task.result() for task in tasks]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception of a group, however deep."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
