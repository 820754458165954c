"""What reading a document yields: the contract between the pipeline and the HTTP side.

Arrays follow the conventions of ``deployments.types``. Times are milliseconds of wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from deployments.errors import OcrError
from deployments.types import Kind, Points

Orientation = Literal[0, 90, 180, 270]


@dataclass(frozen=True, slots=True)
class Region:
    """One line of text on a page, in pixels of the page that was read.

    ``kind``, ``text`` and their confidences are None where the stage that gives them did not
    answer; ``error`` then says why. ``engine`` is the name of the recognition engine that read
    the line. ``char_spans`` says where each character of ``text`` stands along the quad's first
    edge: its left and right end as shares of it; empty where the engine cannot tell.
    ``char_confidences`` is as in ``deployments.types.Reading``.
    """

    quad: Points
    detection_confidence: float
    kind: Kind | None = None
    kind_confidence: float | None = None
    text: str | None = None
    confidence: float | None = None
    engine: str | None = None
    error: OcrError | None = None
    char_spans: tuple[tuple[float, float], ...] = ()
    char_confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PageOrigin:
    """Where a page comes from: ``number`` in its file and ``file`` in its request, both from 1.

    ``file_name`` is what the sender calls the file. ``dpi`` is the page's resolution in dots an
    inch, None where nobody knows it.
    """

    number: int
    file: int = 1
    file_name: str | None = None
    dpi: float | None = None


@dataclass(frozen=True, slots=True)
class PageResult:
    """One page: its regions in reading order, or the ``error`` that befell the whole page.

    ``index`` counts the pages that were read, from 0, over all files. ``skew_deg`` is as in
    ``deployments.types.PageLines``; ``orientation_deg`` is how far the text is turned clockwise from
    reading level: 0, 90, 180 or 270.
    ``timings_ms`` maps a stage's name to the time the page spent there. ``origin`` is None where
    nobody told.
    """

    index: int
    width_px: int
    height_px: int
    skew_deg: float = 0.0
    orientation_deg: Orientation = 0
    regions: tuple[Region, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    error: OcrError | None = None
    origin: PageOrigin | None = None


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """A document: its pages in order.

    ``timings_ms`` maps a stage's name (and ``total``) to wall time for the whole document;
    ``engines`` maps a stage's name to the name of the engine that served it.
    """

    pages: tuple[PageResult, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    engines: Mapping[str, str] = field(default_factory=dict)


def whole_document(pages: Iterable[PageResult], engines: Mapping[str, str]) -> DocumentResult:
    """All pages of a document as one result. Raises the error of the first page where every page failed."""
    results = tuple(pages)
    errors = [page.error for page in results if page.error]
    if errors and len(errors) == len(results):
        raise errors[0]
    return DocumentResult(results, stage_timings_ms(results), engines)


def stage_timings_ms(pages: Iterable[PageResult]) -> dict[str, float]:
    """Time in each stage summed over pages; pages overlap, so it may exceed the wall time."""
    spent_ms: dict[str, float] = {}
    for page in pages:
        add_timings_ms(spent_ms, page)
    return spent_ms


def add_timings_ms(spent_ms: dict[str, float], page: PageResult) -> None:
    """Add the time that a page spent in each stage to ``spent_ms``."""
    for stage, stage_ms in page.timings_ms.items():
        spent_ms[stage] = round(spent_ms.get(stage, 0.0) + stage_ms, 2)
