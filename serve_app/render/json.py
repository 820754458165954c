"""A document as the wire's JSON model."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.errors import OcrError
from deployments.geometry import quad_bounds
from serve_app.assembly import page_text
from serve_app.results import DocumentResult, PageResult, Region
from serve_app.schemas import Answer, BoundingBox, ItemError, PageView, RegionView

_PIXEL_DIGITS = 1
_PROBABILITY_DIGITS = 4
_TIME_DIGITS = 1


def render(document: DocumentResult, request_id: str, timings_ms: Mapping[str, float]) -> Answer:
    """The answer to a request; ``timings_ms`` are those of the whole request."""
    return Answer(
        request_id=request_id,
        pages=tuple(_page(page) for page in document.pages),
        timings_ms={stage: round(spent, _TIME_DIGITS) for stage, spent in timings_ms.items()},
        engines=dict(document.engines),
    )


def _page(page: PageResult) -> PageView:
    return PageView(
        page=page.index + 1,
        width=page.width_px,
        height=page.height_px,
        skew_deg=round(page.skew_deg, 2),
        orientation_deg=page.orientation_deg,
        regions=tuple(_region(region) for region in page.regions),
        text=None if page.error else page_text(page.regions, page.skew_deg),
        error=_error(page.error),
    )


def _region(region: Region) -> RegionView:
    x, y, width, height = (round(value, _PIXEL_DIGITS) for value in quad_bounds(region.quad))
    top_left, top_right, bottom_right, bottom_left = (
        (round(float(corner[0]), _PIXEL_DIGITS), round(float(corner[1]), _PIXEL_DIGITS))
        for corner in region.quad
    )
    return RegionView(
        bbox=BoundingBox(x=x, y=y, width=width, height=height),
        polygon=(top_left, top_right, bottom_right, bottom_left),
        kind=region.kind,
        kind_confidence=_probability(region.kind_confidence),
        text=region.text,
        confidence=_probability(region.confidence),
        detection_confidence=round(region.detection_confidence, _PROBABILITY_DIGITS),
        engine=region.engine,
        error=_error(region.error),
    )


def _probability(value: float | None) -> float | None:
    return None if value is None else round(value, _PROBABILITY_DIGITS)


def _error(error: OcrError | None) -> ItemError | None:
    return None if error is None else ItemError(code=error.code, detail=error.public)
