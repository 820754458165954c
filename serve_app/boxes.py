"""Straight boxes around the regions of a page that was turned upright: pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from deployments.geometry import quad_size, rotate_points
from deployments.types import Kind, Points
from serve_app.results import Region

# Share of a line's height that the middles of two lines of one row may be apart.
ROW_DISTANCE_MAX = 0.5

# What tells lines that converge from lines that are merely uneven: how many they are, how much their
# slopes differ over the page, and the share of that which height leaves unexplained.
_CONVERGING_LINES_MIN = 6
_CONVERGING_MIN = 0.01
_CONVERGING_LEFT_MAX = 0.4
# Nearer to the point where lines meet than this share of the way, nothing is made level.
_DEPTH_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Box:
    """A straight box around a region; ``index`` is the region's place in the input.

    ``text`` and ``kind`` are the region's, None where nobody told.
    """

    index: int
    left: float
    top: float
    right: float
    bottom: float
    text: str | None = None
    kind: Kind | None = None

    @property
    def centre_x(self) -> float:
        return (self.left + self.right) / 2

    @property
    def centre_y(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left


def quarter_turns(quad: Points, skew_deg: float = 0.0) -> int:
    """How many quarters the line is turned counter-clockwise against the page, 0 to 3."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad.tolist()
    angle_deg = math.degrees(math.atan2(ay - by + dy - cy, bx - ax + cx - dx))
    return round((angle_deg - skew_deg) / 90.0) % 4


def levelled(quads: Sequence[Points], skew_deg: float) -> list[Points]:
    """The quads on the page laid upright: most of its lines level, those of a photograph parallel.

    ``skew_deg`` is as in :class:`deployments.types.PageLines`.
    """
    if not quads:
        return []
    length = [0.0, 0.0, 0.0, 0.0]
    for quad in quads:
        length[quarter_turns(quad, skew_deg)] += quad_size(quad)[0]
    turns = length.index(max(length))
    return _parallel(rotate_points(np.stack(quads), -skew_deg - 90.0 * turns, (0.0, 0.0)))


def _parallel(quads: Points) -> list[Points]:
    """Quads ``(N, 4, 2)`` of lines that converge, as they are where those are parallel and level.

    A camera beside a page sees lines that meet in a point: their slopes grow with their heights.
    Left as they are where slopes do not, by a fit weighted with the lines' lengths.
    """
    ends = np.stack([quads[:, [0, 3]].mean(axis=1), quads[:, [1, 2]].mean(axis=1)], axis=1).astype(np.float64)
    along, middle = ends[:, 1] - ends[:, 0], ends.mean(axis=1)
    lying = np.abs(along[:, 1]) < np.abs(along[:, 0])
    if lying.sum() < _CONVERGING_LINES_MIN:
        return list(quads)
    slope, y = along[lying, 1] / along[lying, 0], middle[lying, 1]
    weight = np.abs(along[lying, 0])
    centre = np.average(middle[lying], axis=0, weights=weight)
    level, y = np.average(slope, weights=weight), y - centre[1]
    spread, height = np.average((slope - level) ** 2, weights=weight), np.average(y**2, weights=weight)
    growth = np.average(y * slope, weights=weight) / max(height, 1e-6)
    left_over = spread - growth**2 * height
    if left_over > _CONVERGING_LEFT_MAX * spread or abs(growth) * np.ptp(y) < _CONVERGING_MIN:
        return list(quads)
    points = quads - centre
    depth = 1 + growth * points[..., :1]
    if depth.min() < _DEPTH_MIN:
        return list(quads)
    level_y = points[..., 1:] - level * points[..., :1]
    return list((np.concatenate([points[..., :1], level_y], axis=-1) / depth + centre).astype(np.float32))


def upright(regions: Sequence[Region], skew_deg: float) -> tuple[list[Box], list[int]]:
    """Straight boxes of the regions on the page laid upright, and the quarter turns of each against it.

    A box stands as its own line reads: those that are turned were turned back, and share no axes with
    others. ``skew_deg`` is as in :class:`deployments.types.PageLines`.
    """
    if not regions:
        return [], []
    quads = levelled([region.quad for region in regions], skew_deg)
    turns = [quarter_turns(quad) for quad in quads]
    points, quarters = np.stack(quads), np.array(turns)
    for turn in set(turns) - {0}:
        points[quarters == turn] = rotate_points(points[quarters == turn], -90.0 * turn, (0.0, 0.0))
    ends = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1).tolist()
    boxes = [
        Box(index, left, top, right, bottom, region.text, region.kind)
        for index, ((left, top, right, bottom), region) in enumerate(zip(ends, regions, strict=True))
    ]
    return boxes, turns


def usual_height(boxes: Sequence[Box]) -> float:
    """Median height of the boxes, pixels; never 0."""
    return max(median([box.height for box in boxes]), 1.0) if boxes else 1.0


def same_row(one: Box, other: Box, height_px: float) -> bool:
    """Whether two boxes stand side by side, on a page whose usual line is ``height_px`` high."""
    # Without the properties, and the distance first: dense tables ask this tens of thousands of times.
    higher_px = max(one.bottom - one.top, other.bottom - other.top)
    step_px = abs(one.top + one.bottom - other.top - other.bottom) / 2
    return step_px < ROW_DISTANCE_MAX * min(higher_px, 1.5 * height_px) and not _overlap_widely(one, other)


def _overlap_widely(one: Box, other: Box) -> bool:
    """Whether one stands above the other rather than beside it."""
    common = min(one.right, other.right) - max(one.left, other.left)
    return common > 0 and common > 0.5 * min(one.width, other.width)
