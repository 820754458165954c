"""Straight boxes around the regions of a page that was turned upright: pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from deployments.geometry import rotate_points
from deployments.types import Points
from serve_app.results import Region

# Share of a line's height that the middles of two lines of one row may be apart.
_ROW_DISTANCE_MAX = 0.5


@dataclass(frozen=True, slots=True)
class Box:
    """A straight box around a region; ``index`` is the region's place in the input."""

    index: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def centre_y(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left


def quarter_turns(quad: Points, skew_deg: float) -> int:
    """How many quarters the line is turned counter-clockwise against the page, 0 to 3."""
    along = (quad[1] - quad[0]) + (quad[2] - quad[3])
    angle_deg = math.degrees(math.atan2(-float(along[1]), float(along[0])))
    return round((angle_deg - skew_deg) / 90.0) % 4


def upright(regions: Sequence[Region], angle_deg: float) -> list[Box]:
    """Straight boxes of the regions after turning the page back by ``angle_deg``."""
    boxes = []
    for index, region in enumerate(regions):
        points = rotate_points(region.quad, -angle_deg, (0.0, 0.0))
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        boxes.append(Box(index, left, top, right, bottom))
    return boxes


def usual_height(boxes: Sequence[Box]) -> float:
    """Median height of the boxes, pixels; never 0."""
    return max(median([box.height for box in boxes]), 1.0) if boxes else 1.0


def same_row(one: Box, other: Box, height_px: float) -> bool:
    """Whether two boxes stand side by side, on a page whose usual line is ``height_px`` high."""
    reach_px = _ROW_DISTANCE_MAX * min(max(one.height, other.height), 1.5 * height_px)
    return abs(one.centre_y - other.centre_y) < reach_px and not _overlap_widely(one, other)


def _overlap_widely(one: Box, other: Box) -> bool:
    """Whether one stands above the other rather than beside it."""
    common = min(one.right, other.right) - max(one.left, other.left)
    return common > 0.5 * min(one.width, other.width)
