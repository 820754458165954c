"""Regions of a page -> reading order -> text: pure functions over quads.

The page is turned upright first, so everything below works on straight boxes. It is then cut into
bands from top to bottom. A band whose lines leave a vertical gutter free is either columns of
running text, read one after the other, or a table, form or receipt, read row by row; the lines'
lengths and whether they stand in common rows tell which (``_columns``). Columns are cut again
the same way: the recursive XY-cut of Nagy and Seth (1984), with rows kept whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from deployments.geometry import quad_size, rotate_points
from deployments.types import Points
from serve_app.results import Region

# Shares of the height of a usual line of the page.
_GUTTER_MIN = 0.8
_BAND_GAP_MAX = 2.5
_ROW_DISTANCE_MAX = 0.5
_WORD_GAP_MAX = 1.6
_PARAGRAPH_GAP_MIN = 0.75

# What makes running text of the lines on one side of a gutter.
_COLUMN_LINES_MIN = 3
_COLUMN_LINE_LENGTH_MIN = 7.0
_COLUMN_FILL_MIN = 0.7
_COLUMN_FULL_SHARE_MIN = 0.5

# Only the middle of a line takes part in vertical comparisons: ascenders, descenders and
# sloping hands make whole boxes of neighbouring lines overlap.
_CORE_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class _Box:
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


_Strip = list[_Box]


def reading_order(regions: Sequence[Region], skew_deg: float = 0.0) -> list[Region]:
    """The regions in the order a person reads them.

    ``skew_deg`` is as in :class:`deployments.types.PageLines`. Lines turned by a quarter or more
    against most of the page (a note along the margin) come last.
    """
    by_turn: dict[int, list[int]] = {}
    for index, region in enumerate(regions):
        by_turn.setdefault(_quarter_turns(region.quad, skew_deg), []).append(index)
    ordered: list[int] = []
    for turns, members in sorted(by_turn.items(), key=lambda item: -_text_length(regions, item[1])):
        boxes = _upright([regions[i] for i in members], skew_deg + 90.0 * turns)
        height_px = _usual_height(boxes)
        ordered += [members[box.index] for row in _rows_in_order(boxes, height_px) for box in row]
    return [regions[i] for i in ordered]


def page_text(regions: Sequence[Region], skew_deg: float = 0.0) -> str:
    """The text of regions that are in reading order already.

    Pieces of one row are joined by a space, or by a tab where the gap between them is wide; rows by
    a line break; paragraphs and columns by an empty line. Regions without text are left out.
    """
    read = [(region, region.text) for region in regions if region.text]
    if not read:
        return ""
    turns = [_quarter_turns(region.quad, skew_deg) for region, _ in read]
    boxes = [
        _upright([region], skew_deg + 90.0 * turn)[0] for (region, _), turn in zip(read, turns, strict=True)
    ]
    height_px = _usual_height(boxes)
    pitch_px = _usual_pitch(boxes, height_px)
    pieces = [read[0][1]]
    for i in range(1, len(read)):
        turned = turns[i] != turns[i - 1]
        pieces.append("\n\n" if turned else _joint(boxes[i - 1], boxes[i], height_px, pitch_px))
        pieces.append(read[i][1])
    return "".join(pieces)


def _joint(before: _Box, after: _Box, height_px: float, pitch_px: float) -> str:
    """What stands between two neighbours in reading order."""
    if _same_row(before, after, height_px) and after.left > before.left:
        return "\t" if after.left - before.right > _WORD_GAP_MAX * height_px else " "
    step_px = after.centre_y - before.centre_y
    starts_column = step_px < -0.5 * height_px
    is_paragraph = step_px > pitch_px + _PARAGRAPH_GAP_MIN * height_px
    return "\n\n" if starts_column or is_paragraph else "\n"


def _quarter_turns(quad: Points, skew_deg: float) -> int:
    """How many quarters the line is turned counter-clockwise against the page, 0 to 3."""
    along = (quad[1] - quad[0]) + (quad[2] - quad[3])
    angle_deg = math.degrees(math.atan2(-float(along[1]), float(along[0])))
    return round((angle_deg - skew_deg) / 90.0) % 4


def _text_length(regions: Sequence[Region], members: Sequence[int]) -> float:
    return sum(quad_size(regions[i].quad)[0] for i in members)


def _upright(regions: Sequence[Region], angle_deg: float) -> list[_Box]:
    """Straight boxes of the regions after turning the page back by ``angle_deg``."""
    boxes = []
    for index, region in enumerate(regions):
        points = rotate_points(region.quad, -angle_deg, (0.0, 0.0))
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        boxes.append(_Box(index, left, top, right, bottom))
    return boxes


def _usual_height(boxes: Sequence[_Box]) -> float:
    return max(median([box.height for box in boxes]), 1.0) if boxes else 1.0


def _usual_pitch(boxes: Sequence[_Box], height_px: float) -> float:
    """Median step from one row to the next below it, in pixels."""
    steps = [after.centre_y - before.centre_y for before, after in pairwise(boxes)]
    down = [step for step in steps if 0.5 * height_px < step < 4 * height_px]
    return median(down) if down else 1.5 * height_px


def _rows_in_order(boxes: Sequence[_Box], height_px: float) -> list[_Strip]:
    """Rows of boxes, top to bottom, columns one after the other; each row from left to right."""
    rows: list[_Strip] = []
    for band in _bands(_strips(boxes, height_px), height_px):
        members = [box for strip in band for box in strip]
        sides = _columns(members, height_px)
        if sides is None:
            rows += [row for strip in band for row in _rows(strip, height_px)]
        else:
            rows += [row for side in sides for row in _rows_in_order(side, height_px)]
    return rows


def _core(box: _Box, height_px: float) -> tuple[float, float]:
    reach = _CORE_SHARE / 2 * min(box.height, 1.5 * height_px)
    return box.centre_y - reach, box.centre_y + reach


def _strips(boxes: Sequence[_Box], height_px: float) -> list[_Strip]:
    """Boxes in groups whose vertical cores overlap, from top to bottom."""
    strips: list[_Strip] = []
    bottom = -math.inf
    for box in sorted(boxes, key=lambda box: _core(box, height_px)):
        core_top, core_bottom = _core(box, height_px)
        if core_top >= bottom:
            strips.append([])
        strips[-1].append(box)
        bottom = max(bottom, core_bottom)
    return strips


def _bands(strips: Sequence[_Strip], height_px: float) -> list[list[_Strip]]:
    """Runs of strips that share a gutter, or have none; a wide vertical gap ends a run of the first sort."""
    bands: list[list[_Strip]] = []
    for strip in strips:
        if bands and _joins(bands[-1], strip, height_px):
            bands[-1].append(strip)
        else:
            bands.append([strip])
    return bands


def _joins(band: Sequence[_Strip], strip: _Strip, height_px: float) -> bool:
    members = [box for row in band for box in row]
    if not _gutters(members, height_px):
        return not _gutters(strip, height_px)
    gap_px = min(box.top for box in strip) - max(box.bottom for box in members)
    return gap_px <= _BAND_GAP_MAX * height_px and bool(_gutters([*members, *strip], height_px))


def _gutters(boxes: Sequence[_Box], height_px: float) -> list[tuple[float, float]]:
    """Vertical lanes that no box enters, as (left, right), the widest first."""
    lanes: list[tuple[float, float]] = []
    covered = math.inf
    for box in sorted(boxes, key=lambda box: box.left):
        if box.left - covered >= _GUTTER_MIN * height_px:
            lanes.append((covered, box.left))
        covered = box.right if covered == math.inf else max(covered, box.right)
    return sorted(lanes, key=lambda lane: lane[0] - lane[1])


def _columns(boxes: Sequence[_Box], height_px: float) -> tuple[list[_Box], list[_Box]] | None:
    """The boxes left and right of a gutter between columns of text, None where there is none."""
    for left_px, _ in _gutters(boxes, height_px):
        left = [box for box in boxes if box.right <= left_px]
        right = [box for box in boxes if box.right > left_px]
        # Otherwise the two sides are cells of common rows.
        if _is_running_text(left, height_px) and _is_running_text(right, height_px):
            return left, right
    return None


def _is_running_text(boxes: Sequence[_Box], height_px: float) -> bool:
    rows = [row for strip in _strips(boxes, height_px) for row in _rows(strip, height_px)]
    if len(rows) < _COLUMN_LINES_MIN:
        return False
    widths = [sum(box.width for box in row) for row in rows]
    side_px = max(box.right for box in boxes) - min(box.left for box in boxes)
    full = sum(width >= _COLUMN_FILL_MIN * side_px for width in widths) / len(widths)
    return median(widths) >= _COLUMN_LINE_LENGTH_MIN * height_px and full >= _COLUMN_FULL_SHARE_MIN


def _rows(strip: Sequence[_Box], height_px: float) -> list[_Strip]:
    """Boxes of one strip as rows: top to bottom, each from left to right."""
    rows: list[_Strip] = []
    for box in sorted(strip, key=lambda box: box.centre_y):
        if rows and all(_same_row(other, box, height_px) for other in rows[-1]):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda box: box.left) for row in rows]


def _same_row(one: _Box, other: _Box, height_px: float) -> bool:
    reach_px = _ROW_DISTANCE_MAX * min(max(one.height, other.height), 1.5 * height_px)
    return abs(one.centre_y - other.centre_y) < reach_px and not _overlap_widely(one, other)


def _overlap_widely(one: _Box, other: _Box) -> bool:
    """Whether one stands above the other rather than beside it."""
    common = min(one.right, other.right) - max(one.left, other.left)
    return common > 0.5 * min(one.width, other.width)
