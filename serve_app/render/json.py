"""A document as the wire's JSON model."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.errors import OcrError
from deployments.geometry import quad_bounds
from deployments.types import Points
from serve_app.assembly import page_text
from serve_app.render.rounding import PROBABILITY_DIGITS, pixels, probability
from serve_app.results import DocumentResult, PageOrigin, PageResult, Region
from serve_app.schemas import Answer, BoundingBox, ItemError, PageView, PixelPoint, RegionView, WordView
from serve_app.words import Word, words_of

_TIME_DIGITS = 1


def render(
    document: DocumentResult, request_id: str, timings_ms: Mapping[str, float], with_words: bool = False
) -> Answer:
    """The answer to a request; ``timings_ms`` are those of the whole request."""
    return Answer(
        request_id=request_id,
        pages=tuple(page_view(page, with_words) for page in document.pages),
        timings_ms={stage: round(spent, _TIME_DIGITS) for stage, spent in timings_ms.items()},
        engines=dict(document.engines),
    )


def page_view(page: PageResult, with_words: bool = False) -> PageView:
    """One page of an answer."""
    origin = page.origin or PageOrigin(page.index + 1)
    return PageView(
        page=origin.number,
        file=origin.file,
        file_name=origin.file_name,
        dpi=origin.dpi,
        width=page.width_px,
        height=page.height_px,
        skew_deg=round(page.skew_deg, 2),
        orientation_deg=page.orientation_deg,
        regions=tuple(_region(region, with_words) for region in page.regions),
        text=None if page.error else page_text(page.regions, page.skew_deg),
        error=_error(page.error),
    )


def _region(region: Region, with_words: bool) -> RegionView:
    return RegionView(
        bbox=_bbox(region.quad),
        polygon=_polygon(region.quad),
        kind=region.kind,
        kind_confidence=probability(region.kind_confidence),
        text=region.text,
        confidence=probability(region.confidence),
        detection_confidence=round(region.detection_confidence, PROBABILITY_DIGITS),
        engine=region.engine,
        error=_error(region.error),
        words=tuple(map(_word, words_of(region))) if with_words else None,
    )


def _word(word: Word) -> WordView:
    return WordView(
        text=word.text,
        bbox=_bbox(word.quad),
        polygon=_polygon(word.quad),
        confidence=probability(word.confidence),
    )


def _bbox(quad: Points) -> BoundingBox:
    x, y, width, height = map(pixels, quad_bounds(quad))
    return BoundingBox(x=x, y=y, width=width, height=height)


def _polygon(quad: Points) -> tuple[PixelPoint, PixelPoint, PixelPoint, PixelPoint]:
    top_left, top_right, bottom_right, bottom_left = ((pixels(x), pixels(y)) for x, y in quad)
    return top_left, top_right, bottom_right, bottom_left


def _error(error: OcrError | None) -> ItemError | None:
    return None if error is None else ItemError(code=error.code, detail=error.public)
