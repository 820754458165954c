"""Gutters between columns of text on an upright page: pure functions over boxes.

A gutter is free where no line reaches across it. Where headings, tables and ragged lines do, it is still
a valley of the profile of boxes across the page: fewer cross it than the columns on its either side. This
is the projection profile of the XY-cut (Nagy and Seth, 1984), of lines in place of pixels.
``height_px`` is the height of a usual line of the page everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from serve_app.boxes import Box
from serve_app.form_rows import are_labels_and_answers, are_parties
from serve_app.prose import LINES_MIN, is_prose, is_set_as_prose
from serve_app.rows import rows

# The least width of a free gutter, in heights of a line: more than the space between words.
_FREE_MIN = 0.8

# Where columns stand close, what detection adds to the ends of their lines would fill the gutter: the ends
# of boxes are taken off, in heights of a line, for the profile, which is sampled four times a height.
_SLACK = 0.3
_STEPS_PER_HEIGHT = 4
# At most this share of the lines of the lesser column may cross a gutter.
_CROSSED_MAX = 0.4
# A box is across a gutter that has more than this share of it on either side, or more than so many heights
# of a line: the end of a line that leans over the gutter of a bent page stays below both.
_ACROSS_SHARE = 0.25
_ACROSS_LENGTH = 2.0
# Columns stand beside each other for more than so many heights of a line.
_BESIDE_MIN = 3.0

# What leaves more gutters free is a table: no page is set in so many columns.
_FREE_GUTTERS_MAX = 12

Span = tuple[float, float]
Sides = tuple[list[Box], list[Box]]


def spans(pieces: Sequence[Span], height_px: float) -> list[Span]:
    """Pieces of the horizontal axis, joined where no free gutter parts them, from left to right."""
    joined: list[Span] = []
    for left, right in sorted(pieces):
        if joined and left - joined[-1][1] < _FREE_MIN * height_px:
            joined[-1] = joined[-1][0], max(joined[-1][1], right)
        else:
            joined.append((left, right))
    return joined


def free_gutter(boxes: Sequence[Box], height_px: float) -> float | None:
    """The x in pixels of the widest free gutter between columns, told without their sentences.

    Columns are as long as prose, or the blocks of two parties. None where there are none.
    """
    joined = spans([(box.left, box.right) for box in boxes], height_px)
    gutters = [(right[0] - left[1], (left[1] + right[0]) / 2) for left, right in pairwise(joined)]
    if len(gutters) > _FREE_GUTTERS_MAX:
        return None
    for _, gutter_px in sorted(gutters, reverse=True):
        left, right = sides_of(boxes, gutter_px)
        left_rows = rows(left, height_px)
        if len(gutters) == 1 and are_parties(left_rows, rows(right, height_px)):
            return gutter_px
        if is_set_as_prose(left_rows, height_px) and is_set_as_prose(rows(right, height_px), height_px):
            return None if are_labels_and_answers(left, right, height_px) else gutter_px
    return None


def prose_gutter(boxes: Sequence[Box], height_px: float) -> float | None:
    """The x in pixels of the emptiest valley between columns of prose, None without one."""
    if len(boxes) < 2 * LINES_MIN:
        return None
    for gutter_px in _valleys(boxes, height_px):
        left, right = sides_of([box for box in boxes if not is_across(box, gutter_px, height_px)], gutter_px)
        if not _stand_beside(left, right, height_px):
            continue
        if is_prose(left, height_px) and is_prose(right, height_px):
            return None if are_labels_and_answers(left, right, height_px) else gutter_px
    return None


def is_across(box: Box, gutter_px: float, height_px: float) -> bool:
    """Whether a box belongs to neither side of a gutter: headings, for one."""
    least_px = min(_ACROSS_SHARE * box.width, _ACROSS_LENGTH * height_px)
    return min(gutter_px - box.left, box.right - gutter_px) > least_px


def sides_of(boxes: Sequence[Box], gutter_px: float) -> Sides:
    """The boxes left and right of a gutter, by their middles."""
    left = [box for box in boxes if box.centre_x < gutter_px]
    return left, [box for box in boxes if box.centre_x >= gutter_px]


def _stand_beside(left: Sequence[Box], right: Sequence[Box], height_px: float) -> bool:
    if not left or not right:
        return False
    top = max(min(box.top for box in side) for side in (left, right))
    bottom = min(max(box.bottom for box in side) for side in (left, right))
    return bottom - top > _BESIDE_MIN * height_px


def _valleys(boxes: Sequence[Box], height_px: float) -> list[float]:
    """Middles of the valleys of the profile, in pixels: the least crossed first, then the widest."""
    lefts = np.array([box.left for box in boxes])
    rights = np.array([box.right for box in boxes])
    at_px = np.arange(lefts.min(), rights.max(), height_px / _STEPS_PER_HEIGHT)
    profile = _profile(at_px, lefts + _SLACK * height_px, rights - _SLACK * height_px)
    # What is left and right of a valley is a column wherever the profile is highest there.
    columns = np.minimum(np.maximum.accumulate(profile), np.maximum.accumulate(profile[::-1])[::-1])
    found = []
    for first, last in _runs((columns > 0) & (profile <= _CROSSED_MAX * columns)):
        least = profile[first : last + 1].min()
        begin, end = max(_runs(profile[first : last + 1] == least), key=lambda run: run[1] - run[0])
        found.append((int(least), begin - end, float(at_px[[first + begin, first + end]].mean())))
    return [gutter_px for _, _, gutter_px in sorted(found)]


def _profile(
    at_px: NDArray[np.float64], lefts: NDArray[np.float64], rights: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many pieces of the horizontal axis there are at each place."""
    wide = lefts <= rights
    begun = np.searchsorted(np.sort(lefts[wide]), at_px, side="right")
    return begun - np.searchsorted(np.sort(rights[wide]), at_px, side="left")


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]
