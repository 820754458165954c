"""A detection engine, as the service runs it, against labelled pages."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deployments.engine import Engine
from deployments.errors import OcrError
from deployments.types import Image, PageLines
from training.detection_data import LabelledPage, load_image
from training.detection_metrics import DetectionCounts, match_lines
from training.photographed import seen_aside

SEED = 1

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


def evaluate(engine: DetectionEngine, pages: Iterable[LabelledPage], aside: float = 0.0) -> Evaluation:
    """Detect every page and count; labels with polygons are compared as quads, others as boxes.

    ``aside`` other than 0 shows each page as a camera beside it sees it (``training.photographed``), its
    labels as the quads that they become.
    """
    counts = DetectionCounts()
    times_s: list[float] = []
    rng = np.random.default_rng(SEED)
    for page in pages:
        image, quads = load_image(page.image), page.quads
        if aside:
            image, quads = seen_aside(image, quads, aside, rng)
        started_s = time.perf_counter()
        lines = detect(engine, image)
        times_s.append(time.perf_counter() - started_s)
        by_quad = page.is_exact or bool(aside)
        counts += match_lines([line.quad for line in lines.lines], list(quads), by_quad).counts
    return Evaluation(counts, 1000 * sum(times_s) / max(len(times_s), 1))
