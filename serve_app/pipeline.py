"""The way of a page through the stages: detect, classify, recognise, assemble.

Ray-free: the stages are three kinds of async callables. A page is cut into crops once; each stage
gets one call per page with the list of its crops. An item's failure stays with its region or page;
a stage that asks to come back later fails the whole request, which the client may then repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from deployments.errors import InvalidParameter, OcrError, Outcome, RetryLater
from deployments.geometry import DegenerateQuad, quad_from_box, quad_size
from deployments.restoring import has_ink, restored
from deployments.ruling import LineCutter
from deployments.tracing import span
from deployments.types import Image, Kind, KindScore, PageLines, Points, Reading, TextLine
from serve_app.assembly import reading_order
from serve_app.calls import Clock, as_result, each, log_failures, together
from serve_app.closer import look_closer
from serve_app.config import PipelineOptions
from serve_app.farther import look_farther
from serve_app.ordered import map_in_order
from serve_app.orientation import (
    is_on_its_head,
    orientation_deg,
    turned_back,
    turned_page,
    upside_down,
)
from serve_app.pages import SourcePage
from serve_app.reader import ReadOptions
from serve_app.results import PageResult, Region
from serve_app.schemas import Layout
from serve_app.words import spans_in_line

T = TypeVar("T")

Detect = Callable[[list[Image]], Awaitable[list[Outcome[PageLines]]]]
Classify = Callable[[list[Image]], Awaitable[list[Outcome[KindScore]]]]
Recognise = Callable[[list[Image]], Awaitable[list[Outcome[Reading]]]]

# Digits and short words that detectors overlook read at 0.8 and more, dirt at 0.66 at most.
SURE_OF_LONE_SIGN = 0.7
# Of a text layer: putting more in order takes seconds, where they stand in hundreds of columns.
TURNED_LINES_MAX = 2000


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

    async def stream(
        self, pages: AsyncIterator[SourcePage], options: ReadOptions
    ) -> AsyncGenerator[PageResult]:
        """Read a document page by page; see ``Reader.stream``. At most ``pages_in_flight`` are held.

        Raises:
            RetryLater: a stage is overloaded or unavailable.
            InvalidParameter: the graph does not have the engine asked for.
        """
        recognisers = self._recognisers_for(options.engine)

        async def read(index: int, page: SourcePage) -> PageResult:
            on_stage = options.on_stage
            clock = Clock(None if on_stage is None else partial(on_stage, page.origin))
            with span("page", page=index + 1):
                return await self._read_page(index, page, options.layout, recognisers, clock)

        async with aclosing(map_in_order(pages, read, self._options.pages_in_flight)) as results:
            async for result in results:
                yield result

    def _recognisers_for(self, engine: str | None) -> Mapping[Kind, Recogniser]:
        if engine is None:
            return self._recognisers
        by_engine = {recogniser.engine: recogniser for recogniser in self._recognisers.values()}
        if engine not in by_engine:
            raise InvalidParameter(f"engine: this service reads with {', '.join(sorted(by_engine))}.")
        return dict.fromkeys(self._recognisers, by_engine[engine])

    async def _read_page(
        self,
        index: int,
        source: SourcePage,
        layout: Layout,
        recognisers: Mapping[Kind, Recogniser],
        clock: Clock,
    ) -> PageResult:
        clock.spent_ms["decode"] = round(source.decode_ms, 2)
        height_px, width_px = source.image.shape[:2]
        result = PageResult(index, width_px, height_px, timings_ms=clock.spent_ms, origin=source.origin)
        if source.regions is not None:
            return await _as_written(result, source.regions)
        page = await asyncio.to_thread(restored, source.image)
        try:
            found = await self._find_lines(page, layout, clock)
            regions = await self._read_lines(page, found.lines, recognisers, clock)
            if not found.lines and await asyncio.to_thread(has_ink, page):
                found = _as_one_line(page)
                regions = await self._read_lone_sign(page, found.lines, recognisers, clock)

            async def read(quads: list[Points]) -> list[Outcome[Reading]]:
                return await self._read_again(page, quads, recognisers[Kind.PRINTED], clock)

            if layout is not Layout.LINE and await is_on_its_head(regions, read):
                found = await self._find_upside_down(page, found, layout, clock)
                regions = await self._read_lines(page, found.lines, recognisers, clock)
        except RetryLater:
            raise
        except OcrError as error:
            return replace(result, error=as_result(error))
        with clock("assembly"):
            # Beside the loop: thousands of lines take a tenth of a second.
            ordered = await asyncio.to_thread(
                reading_order, regions, found.skew_deg, one_block=layout is Layout.BLOCK
            )
        turned_deg = orientation_deg(ordered, found.skew_deg)
        return replace(result, skew_deg=found.skew_deg, orientation_deg=turned_deg, regions=tuple(ordered))

    async def _find_lines(self, page: Image, layout: Layout, clock: Clock) -> PageLines:
        if layout is Layout.LINE:
            return _as_one_line(page)
        with clock("detection"):
            (found,) = await self._detect([page])
            log_failures([found])
            options, detect = self._options, partial(each, self._detect)
            lines = await look_farther(page, _value(found), detect)
            return await look_closer(page, lines, detect, options.closer_looks, options.max_page_lines)

    async def _find_upside_down(
        self, page: Image, found: PageLines, layout: Layout, clock: Clock
    ) -> PageLines:
        """The lines of a page on its head, found anew: detectors see such pages less well.

        Where that fails, or shows less than half of them, they stay, to be read from the other end.
        """
        try:
            anew = await self._find_lines(turned_page(page), layout, clock)
        except RetryLater:
            raise
        except OcrError:
            anew = PageLines(())
        if 2 * len(anew.lines) < len(found.lines):
            turned = (replace(line, quad=upside_down(line.quad)) for line in found.lines)
            return replace(found, lines=tuple(turned))
        return replace(anew, lines=turned_back(anew.lines, page))

    async def _read_lines(
        self,
        page: Image,
        lines: Sequence[TextLine],
        recognisers: Mapping[Kind, Recogniser],
        clock: Clock,
    ) -> list[Region]:
        with clock("crops"):
            regions, crops = await asyncio.to_thread(self._cut, page, lines)
        if not crops:
            return []
        if len({recogniser.engine for recogniser in recognisers.values()}) == 1:
            # One engine reads every kind: neither stage has to wait for the other.
            recogniser = recognisers[Kind.PRINTED]
            kinds, readings = await together(
                clock.timed("classification", each(self._classify, crops)),
                clock.timed("recognition", each(recogniser.recognise, crops)),
            )
            engines = [recogniser.engine] * len(crops)
        else:
            kinds = await clock.timed("classification", each(self._classify, crops))
            readings, engines = await clock.timed(
                "recognition", _recognise_by_kind(crops, kinds, recognisers)
            )
        return [
            self._filled(region, kind, reading, engine)
            for region, kind, reading, engine in zip(regions, kinds, readings, engines, strict=True)
        ]

    async def _read_lone_sign(
        self, page: Image, lines: Sequence[TextLine], recognisers: Mapping[Kind, Recogniser], clock: Clock
    ) -> list[Region]:
        """A picture on which nothing was found, as one line: of a digit or two detectors are never sure.

        Nothing where that does not read surely, as dirt does not, or as a dot, which dirt does.
        """
        regions = await self._read_lines(page, lines, recognisers, clock)
        return [region for region in regions if region.text is None or _is_sign(region)]

    async def _read_again(
        self, page: Image, quads: Sequence[Points], recogniser: Recogniser, clock: Clock
    ) -> list[Outcome[Reading]]:
        with clock("crops"):
            _, crops = await asyncio.to_thread(self._cut, page, [TextLine(quad, 1.0) for quad in quads])
        return await clock.timed("recognition", each(recogniser.recognise, crops))

    def _filled(
        self, region: Region, kind: Outcome[KindScore], reading: Outcome[Reading], engine: str
    ) -> Region:
        """A region with what the stages answered; the reading's error outweighs the kind's."""
        if isinstance(kind, OcrError):
            region = replace(region, error=kind)
        else:
            region = replace(region, kind=kind.kind, kind_confidence=kind.confidence)
        if isinstance(reading, OcrError):
            return replace(region, engine=engine, error=reading)
        width_px, height_px = quad_size(region.quad)
        return replace(
            region,
            engine=engine,
            text=reading.text,
            confidence=reading.confidence,
            char_spans=spans_in_line(reading.char_spans, self._options.crop_margin * height_px / width_px),
            char_confidences=reading.char_confidences,
        )

    def _cut(self, page: Image, lines: Sequence[TextLine]) -> tuple[list[Region], list[Image]]:
        """Cut every line once; a quad without area is no line and is left out."""
        cutter = LineCutter(page, self._options.crop_height_px, self._options.crop_margin)
        regions, crops = [], []
        for line in lines:
            try:
                crop = cutter.cut(line.quad)
            except DegenerateQuad:
                continue
            regions.append(Region(line.quad, line.score))
            crops.append(crop)
        return regions, crops


async def _recognise_by_kind(
    crops: list[Image], kinds: Sequence[Outcome[KindScore]], recognisers: Mapping[Kind, Recogniser]
) -> tuple[list[Outcome[Reading]], list[str]]:
    """Send each crop to the engine that reads its kind; a crop of unknown kind counts as printed."""
    chosen = [recognisers[kind.kind if isinstance(kind, KindScore) else Kind.PRINTED] for kind in kinds]
    groups: dict[str, list[int]] = {}
    for i, recogniser in enumerate(chosen):
        groups.setdefault(recogniser.engine, []).append(i)
    answers = await together(
        *(each(chosen[group[0]].recognise, [crops[i] for i in group]) for group in groups.values())
    )
    by_crop = {
        i: reading
        for group, readings in zip(groups.values(), answers, strict=True)
        for i, reading in zip(group, readings, strict=True)
    }
    return [by_crop[i] for i in range(len(crops))], [recogniser.engine for recogniser in chosen]


def _is_sign(region: Region) -> bool:
    sure = (region.confidence or 0.0) >= SURE_OF_LONE_SIGN
    return sure and any(map(str.isalnum, region.text or ""))


async def _as_written(page: PageResult, regions: tuple[Region, ...]) -> PageResult:
    """A page of a text layer; one that is turned comes in an order of ours, unless it has too many lines."""
    turned_deg = orientation_deg(regions, 0.0)
    if turned_deg and len(regions) <= TURNED_LINES_MAX:
        regions = tuple(await asyncio.to_thread(reading_order, regions))
    return replace(page, orientation_deg=turned_deg, regions=regions)


def _as_one_line(page: Image) -> PageLines:
    height_px, width_px = page.shape[:2]
    return PageLines((TextLine(quad_from_box((0, 0, width_px, height_px)), 1.0),))


def _value(outcome: Outcome[T]) -> T:
    if isinstance(outcome, OcrError):
        raise outcome
    return outcome
