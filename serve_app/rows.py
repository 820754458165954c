"""Boxes of an upright page in strips and rows: pure functions.

A strip is what no horizontal line can part without cutting a line of text: the lines of two columns that
do not stand level make one strip. A row is what stands side by side within a strip. ``height_px`` is the
height of a usual line of the page everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from statistics import median

from serve_app.boxes import ROW_DISTANCE_MAX, Box, same_row

# Only the middle of a line takes part in vertical comparisons: ascenders, descenders and
# sloping hands make whole boxes of neighbouring lines overlap.
_CORE_SHARE = 0.4

Row = list[Box]
Strip = list[Box]


def strips(boxes: Sequence[Box], height_px: float) -> list[Strip]:
    """Boxes in groups whose vertical cores overlap, from top to bottom."""
    groups: list[Strip] = []
    bottom = -math.inf
    cores = [(*_core(box, height_px), place) for place, box in enumerate(boxes)]
    for core_top, core_bottom, place in sorted(cores):
        if core_top >= bottom:
            groups.append([])
        groups[-1].append(boxes[place])
        bottom = max(bottom, core_bottom)
    return groups


def rows(boxes: Sequence[Box], height_px: float) -> list[Row]:
    """Boxes as rows: top to bottom, each from left to right."""
    return [row for strip in strips(boxes, height_px) for row in _rows_of_strip(strip, height_px)]


def usual_pitch(boxes: Sequence[Box], height_px: float) -> float:
    """Median step in pixels from a box to the next one, over the steps that go down a row."""
    steps = [after.centre_y - before.centre_y for before, after in pairwise(boxes)]
    down = [step for step in steps if 0.5 * height_px < step < 4 * height_px]
    return median(down) if down else 1.5 * height_px


def _core(box: Box, height_px: float) -> tuple[float, float]:
    middle = (box.top + box.bottom) / 2
    reach = _CORE_SHARE / 2 * min(box.bottom - box.top, 1.5 * height_px)
    return middle - reach, middle + reach


def _rows_of_strip(strip: Strip, height_px: float) -> list[Row]:
    if len(strip) == 1:
        return [strip]
    along = sorted(strip, key=attrgetter("left"))
    if _is_row(along, height_px):
        return [along]
    found: list[Row] = []
    for box in sorted(strip, key=lambda box: box.centre_y):
        if found and all(same_row(other, box, height_px) for other in found[-1]):
            found[-1].append(box)
        else:
            found.append([box])
    return [sorted(row, key=attrgetter("left")) for row in found]


def _is_row(along: Strip, height_px: float) -> bool:
    """Whether boxes from left to right are plainly one row: apart and level. Spares comparing all pairs."""
    if any(after.left < before.right for before, after in pairwise(along)):
        return False
    middles = [box.centre_y for box in along]
    reach_px = ROW_DISTANCE_MAX * min(min(box.height for box in along), 1.5 * height_px)
    return max(middles) - min(middles) < reach_px
