"""The way of a page through the stages: detect, classify, recognise, assemble.

Ray-free: the stages are three kinds of async callables. A page is cut into crops once; each stage
gets one call per page with the list of its crops. An item's failure stays with its region or page;
a stage that asks to come back later fails the whole request, which the client may then repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from deployments.errors import DeadlineExceeded, OcrError, Outcome, RetryLater
from deployments.geometry import DegenerateQuad, cut_crop, quad_from_box
from deployments.types import Image, Kind, KindScore, PageLines, Reading, TextLine
from serve_app.assembly import reading_order
from serve_app.config import PipelineOptions
from serve_app.results import DocumentResult, PageResult, Region

T = TypeVar("T")

Detect = Callable[[list[Image]], Awaitable[list[Outcome[PageLines]]]]
Classify = Callable[[list[Image]], Awaitable[list[Outcome[KindScore]]]]
Recognise = Callable[[list[Image]], Awaitable[list[Outcome[Reading]]]]


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A recognition stage and the name of its engine."""

    engine: str
    recognise: Recognise


class OcrPipeline:
    """Reads pages with the stages it is given.

    Args:
        detect: pages -> located lines, one outcome a page.
        classify: crops -> kinds.
        recognisers: the recogniser of every kind; kinds may share one.
        options: cutting and concurrency.
    """

    def __init__(
        self,
        detect: Detect,
        classify: Classify,
        recognisers: Mapping[Kind, Recogniser],
        options: PipelineOptions,
    ) -> None:
        self._detect = detect
        self._classify = classify
        self._recognisers = recognisers
        self._options = options

    async def read(self, pages: Sequence[Image], whole_line: bool, deadline_s: float) -> DocumentResult:
        """Read a document.

        Args:
            pages: images, in order.
            whole_line: each image is one line of text; detection is skipped.
            deadline_s: seconds until the answer is worth nothing; the stages' work is then withdrawn.

        Raises:
            DeadlineExceeded: the deadline passed.
            RetryLater: a stage is overloaded or unavailable.
        """
        started_s = time.perf_counter()
        gate = asyncio.Semaphore(self._options.pages_in_flight)

        async def read_one(index: int, page: Image) -> PageResult:
            async with gate:
                return await self._read_page(index, page, whole_line)

        try:
            async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as group:
                tasks = [group.create_task(read_one(i, page)) for i, page in enumerate(pages)]
        except TimeoutError:
            raise DeadlineExceeded(f"The document was not read within {deadline_s:g} s") from None
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from group_error
        results = tuple(task.result() for task in tasks)
        return DocumentResult(results, _total_ms(results, started_s))

    async def _read_page(self, index: int, page: Image, whole_line: bool) -> PageResult:
        clock = _Clock()
        height_px, width_px = page.shape[:2]
        result = PageResult(index, width_px, height_px)
        try:
            if whole_line:
                found = PageLines((TextLine(quad_from_box((0, 0, width_px, height_px)), 1.0),))
            else:
                with clock("detection"):
                    (outcome,) = await self._detect([page])
                found = _value(outcome)
            regions = await self._read_lines(page, found.lines, clock)
        except RetryLater:
            raise
        except OcrError as error:
            return replace(result, error=error, timings_ms=clock.spent_ms)
        with clock("assembly"):
            ordered = reading_order(regions, found.skew_deg)
        return replace(result, skew_deg=found.skew_deg, regions=tuple(ordered), timings_ms=clock.spent_ms)

    async def _read_lines(self, page: Image, lines: Sequence[TextLine], clock: _Clock) -> list[Region]:
        with clock("crops"):
            regions, crops = await asyncio.to_thread(self._cut, page, lines)
        if not crops:
            return []
        if len({recogniser.engine for recogniser in self._recognisers.values()}) == 1:
            # One engine reads every kind: neither stage has to wait for the other.
            recogniser = self._recognisers[Kind.PRINTED]
            kinds, readings = await _together(
                clock.timed("classification", _each(self._classify, crops)),
                clock.timed("recognition", _each(recogniser.recognise, crops)),
            )
            engines = [recogniser.engine] * len(crops)
        else:
            kinds = await clock.timed("classification", _each(self._classify, crops))
            readings, engines = await clock.timed("recognition", self._recognise_by_kind(crops, kinds))
        return [
            _filled(region, kind, reading, engine)
            for region, kind, reading, engine in zip(regions, kinds, readings, engines, strict=True)
        ]

    def _cut(self, page: Image, lines: Sequence[TextLine]) -> tuple[list[Region], list[Image]]:
        """Cut every line once; a quad without area is no line and is left out."""
        regions, crops = [], []
        for line in lines:
            try:
                crop = cut_crop(page, line.quad, self._options.crop_height_px, self._options.crop_margin)
            except DegenerateQuad:
                continue
            regions.append(Region(line.quad, line.score))
            crops.append(crop)
        return regions, crops

    async def _recognise_by_kind(
        self, crops: list[Image], kinds: Sequence[Outcome[KindScore]]
    ) -> tuple[list[Outcome[Reading]], list[str]]:
        """Send each crop to the engine that reads its kind; a crop of unknown kind counts as printed."""
        chosen = [
            self._recognisers[kind.kind if isinstance(kind, KindScore) else Kind.PRINTED] for kind in kinds
        ]
        groups: dict[str, list[int]] = {}
        for i, recogniser in enumerate(chosen):
            groups.setdefault(recogniser.engine, []).append(i)
        answers = await _together(
            *(_each(chosen[group[0]].recognise, [crops[i] for i in group]) for group in groups.values())
        )
        by_crop = {
            i: reading
            for group, readings in zip(groups.values(), answers, strict=True)
            for i, reading in zip(group, readings, strict=True)
        }
        return [by_crop[i] for i in range(len(crops))], [recogniser.engine for recogniser in chosen]


class _Clock:
    """Wall time that a page spent in each stage; stages that ran side by side overlap."""

    def __init__(self) -> None:
        self.spent_ms: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        try:
            yield
        finally:
            spent_ms = (time.perf_counter() - started_s) * 1000
            self.spent_ms[stage] = round(self.spent_ms.get(stage, 0.0) + spent_ms, 2)

    async def timed(self, stage: str, work: Awaitable[T]) -> T:
        with self(stage):
            return await work


async def _each(
    stage: Callable[[list[Image]], Awaitable[list[Outcome[T]]]], crops: list[Image]
) -> list[Outcome[T]]:
    """Call a stage; if the call as a whole fails for good, every crop carries that error."""
    try:
        return await stage(crops)
    except RetryLater:
        raise
    except OcrError as error:
        return [error] * len(crops)


async def _together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
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


def _value(outcome: Outcome[T]) -> T:
    if isinstance(outcome, OcrError):
        raise outcome
    return outcome


def _filled(
    region: Region, kind: Outcome[KindScore], reading: Outcome[Reading], engine: str
) -> Region:
    """A region with what the stages answered; the reading's error outweighs the kind's."""
    if isinstance(kind, OcrError):
        region = replace(region, error=kind)
    else:
        region = replace(region, kind=kind.kind, kind_confidence=kind.confidence)
    if isinstance(reading, OcrError):
        return replace(region, engine=engine, error=reading)
    return replace(region, engine=engine, text=reading.text, confidence=reading.confidence)


def _total_ms(pages: Sequence[PageResult], started_s: float) -> dict[str, float]:
    """Time in each stage summed over the pages, and the wall time of the whole reading."""
    spent_ms: dict[str, float] = {}
    for page in pages:
        for stage, stage_ms in page.timings_ms.items():
            spent_ms[stage] = round(spent_ms.get(stage, 0.0) + stage_ms, 2)
    return spent_ms | {"total": round((time.perf_counter() - started_s) * 1000, 2)}
