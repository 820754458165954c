"""A reader without models, for tests of what stands around the stages: it finds rows of ink."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from deployments.errors import OcrError
from deployments.geometry import quad_from_box
from deployments.types import Image, Kind
from serve_app.pages import SourcePage
from serve_app.reader import ReadOptions
from serve_app.results import PageResult, Region
from serve_app.schemas import Layout

_INK_LEVEL = 128
_COLOUR_MIN = 40


@dataclass(slots=True)
class InkReader:
    """Reads each run of inked pixel rows as one line, ``row 1``, ``row 2``; coloured ink is handwriting.

    ``page_errors`` and ``region_errors`` befall pages and regions by number; ``failure`` befalls
    everything. With a ``gate`` a reading waits until it is set. ``calls`` and ``shapes`` record
    what was asked, ``cancelled`` counts readings that were withdrawn.
    """

    page_errors: Mapping[int, OcrError] = field(default_factory=dict)
    region_errors: Mapping[int, OcrError] = field(default_factory=dict)
    failure: Exception | None = None
    stages: Mapping[str, bool] = field(default_factory=lambda: {"detection": True, "recognition.ink": True})
    gate: asyncio.Event | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[ReadOptions] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    engines: Mapping[str, str] = field(default_factory=lambda: {"detection": "ink"})
    cancelled: int = 0

    async def stream(
        self, pages: AsyncIterator[SourcePage], options: ReadOptions
    ) -> AsyncGenerator[PageResult]:
        self.calls.append(options)
        self.started.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        index = 0
        async for page in pages:
            self.shapes.append(page.image.shape)
            if options.on_stage is not None:
                options.on_stage(page.origin, "detection")
            result = self._page(index, page.image, options.layout is Layout.LINE)
            if page.regions is not None:
                result = replace(result, regions=page.regions)
            timings_ms = {"decode": page.decode_ms, "detection": 1.25}
            yield replace(result, origin=page.origin, timings_ms=timings_ms)
            index += 1

    async def readiness(self) -> Mapping[str, bool]:
        return self.stages

    def _page(self, index: int, page: Image, whole_line: bool) -> PageResult:
        height_px, width_px = page.shape[:2]
        if index in self.page_errors:
            return PageResult(index, width_px, height_px, error=self.page_errors[index])
        boxes = [(0, 0, width_px, height_px)] if whole_line else _inked_rows(page)
        regions = tuple(self._region(number, page, box) for number, box in enumerate(boxes))
        return PageResult(index, width_px, height_px, regions=regions)

    def _region(self, number: int, page: Image, box: tuple[int, int, int, int]) -> Region:
        quad = quad_from_box(box)
        if number in self.region_errors:
            return Region(quad, 0.9, error=self.region_errors[number])
        x, y, width, height = box
        crop = page[y : y + height, x : x + width].reshape(-1, 3).astype(int)
        coloured = bool((crop.max(axis=1) - crop.min(axis=1)).max() > _COLOUR_MIN)
        kind = Kind.HANDWRITTEN if coloured else Kind.PRINTED
        return Region(quad, 0.9, kind, 0.875, f"row {number + 1}", 0.75, "ink")


def _inked_rows(page: Image) -> list[tuple[int, int, int, int]]:
    """Boxes ``(x, y, width, height)`` of runs of pixel rows that hold ink."""
    ink = page.min(axis=2) < _INK_LEVEL
    inked = np.concatenate([[False], ink.any(axis=1), [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(inked))
    boxes = []
    for top, bottom in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        columns = np.flatnonzero(ink[top:bottom].any(axis=0))
        left, right = int(columns[0]), int(columns[-1]) + 1
        boxes.append((left, top, right - left, bottom - top))
    return boxes
