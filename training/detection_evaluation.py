"""A detection engine, as the service runs it, against labelled pages."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deployments.engine import Engine
from deployments.errors import OcrError
from deployments.types import Image, PageLines
from training.detection_data import LabelledPage, load_image
from training.detection_metrics import DetectionCounts, match_lines

DetectionEngine = Engine[Image, Any, Any, PageLines]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Counts over a set of pages, and the mean time of one page, milliseconds."""

    counts: DetectionCounts
    page_ms: float

    def __str__(self) -> str:
        return f"{self.counts}  {self.page_ms:.0f} ms a page"


def detect(engine: DetectionEngine, page: Image) -> PageLines:
    """One page through the engine's three steps; raises what the engine answered for it."""
    prepared = engine.prepare([page])[0]
    if isinstance(prepared, OcrError):
        raise prepared
    result = engine.finish(engine.forward([prepared]))[0]
    if isinstance(result, OcrError):
        raise result
    return result


def evaluate(engine: DetectionEngine, pages: Iterable[LabelledPage]) -> Evaluation:
    """Detect every page and count; labels with polygons are compared as quads, others as boxes."""
    counts = DetectionCounts()
    times_s: list[float] = []
    for page in pages:
        image = load_image(page.image)
        started_s = time.perf_counter()
        lines = detect(engine, image)
        times_s.append(time.perf_counter() - started_s)
        counts += match_lines([line.quad for line in lines.lines], list(page.quads), page.is_exact).counts
    return Evaluation(counts, 1000 * sum(times_s) / max(len(times_s), 1))
