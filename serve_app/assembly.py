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
from itertools import pairwise
from statistics import median

from deployments.geometry import quad_size
from serve_app.boxes import Box, levelled, quarter_turns, same_row, upright, usual_height
from serve_app.results import Region

# Shares of the height of a usual line of the page.
_GUTTER_MIN = 0.8
_BAND_GAP_MAX = 2.5
_WORD_GAP_MAX = 1.0
_PARAGRAPH_GAP_MIN = 0.75

# What makes running text of the lines on one side of a gutter.
_COLUMN_LINES_MIN = 3
_COLUMN_LINE_LENGTH_MIN = 7.0
_COLUMN_FILL_MIN = 0.7
_COLUMN_FULL_SHARE_MIN = 0.5

# Only the middle of a line takes part in vertical comparisons: ascenders, descenders and
# sloping hands make whole boxes of neighbouring lines overlap.
_CORE_SHARE = 0.4

# What parts paragraphs and columns in text.
_BREAK = "\n\n"


_Strip = list[Box]
_Row = list[Box]
_Span = tuple[float, float]


def reading_order(regions: Sequence[Region], skew_deg: float = 0.0, one_block: bool = False) -> list[Region]:
    """The regions in the order a person reads them.

    ``skew_deg`` is as in :class:`deployments.types.PageLines`. With ``one_block`` the page is a
    single block of text: rows are read across and no columns are looked for. Lines turned by a
    quarter or more against most of the page (a note along the margin) come last.
    """
    quads = levelled([region.quad for region in regions], skew_deg)
    by_turn: dict[int, list[int]] = {}
    for index, quad in enumerate(quads):
        by_turn.setdefault(quarter_turns(quad), []).append(index)
    ordered: list[int] = []
    for turns, members in sorted(by_turn.items(), key=lambda item: -_text_length(regions, item[1])):
        boxes = upright([quads[i] for i in members], 90.0 * turns)
        height_px = usual_height(boxes)
        rows = (_rows if one_block else _rows_in_order)(boxes, height_px)
        ordered += [members[box.index] for row in rows for box in row]
    return [regions[i] for i in ordered]


def page_text(regions: Sequence[Region], skew_deg: float = 0.0) -> str:
    """The text of regions that are in reading order already.

    Pieces of one row are joined by a space, or by a tab where the gap between them is wide; rows by
    a line break; paragraphs and columns by an empty line. Regions without text are left out.
    """
    read = [region for region in regions if region.text]
    joints = _joints(read, skew_deg)
    return "".join(f"{joint}{region.text}" for joint, region in zip(joints, read, strict=True))


def paragraphs(regions: Sequence[Region], skew_deg: float = 0.0) -> list[list[Region]]:
    """Regions in reading order as the paragraphs that :func:`page_text` parts by empty lines."""
    read = [region for region in regions if region.text]
    groups: list[list[Region]] = []
    for joint, region in zip(_joints(read, skew_deg), read, strict=True):
        if joint == _BREAK or not groups:
            groups.append([])
        groups[-1].append(region)
    return groups


def _joints(read: Sequence[Region], skew_deg: float) -> list[str]:
    """What stands before the text of each region: nothing before the first."""
    if not read:
        return []
    quads = levelled([region.quad for region in read], skew_deg)
    turns = [quarter_turns(quad) for quad in quads]
    boxes = [upright([quad], 90.0 * turn)[0] for quad, turn in zip(quads, turns, strict=True)]
    height_px = usual_height(boxes)
    pitch_px = usual_step_px = _usual_pitch(boxes, height_px)
    joints = [""]
    for i in range(1, len(read)):
        before, after = boxes[i - 1], boxes[i]
        if turns[i] != turns[i - 1]:
            joints.append(_BREAK)
        elif same_row(before, after, height_px) and after.left > before.left:
            joints.append("\t" if after.left - before.right > _WORD_GAP_MAX * height_px else " ")
        else:
            step_px = after.centre_y - before.centre_y
            joints.append(_BREAK if _is_break(step_px, pitch_px, height_px) else "\n")
            # Forms are set wider than the paragraphs between them: the last step counts as well.
            pitch_px = min(step_px, usual_step_px) if step_px > 0.5 * height_px else usual_step_px
    return joints


def _is_break(step_px: float, pitch_px: float, height_px: float) -> bool:
    """Whether a step down to the next row starts a paragraph, or a step up a column."""
    return step_px > pitch_px + _PARAGRAPH_GAP_MIN * height_px or step_px < -0.5 * height_px


def _text_length(regions: Sequence[Region], members: Sequence[int]) -> float:
    return sum(quad_size(regions[i].quad)[0] for i in members)


def _usual_pitch(boxes: Sequence[Box], height_px: float) -> float:
    """Median step from one row to the next below it, in pixels."""
    steps = [after.centre_y - before.centre_y for before, after in pairwise(boxes)]
    down = [step for step in steps if 0.5 * height_px < step < 4 * height_px]
    return median(down) if down else 1.5 * height_px


def _rows_in_order(boxes: Sequence[Box], height_px: float) -> list[_Row]:
    """Rows of boxes, top to bottom, columns one after the other; each row from left to right."""
    rows: list[_Row] = []
    for band in _bands(_strips(boxes, height_px), height_px):
        sides = _columns(band, height_px)
        if sides is None:
            rows += _rows(band, height_px)
        else:
            rows += [row for side in sides for row in _rows_in_order(side, height_px)]
    return rows


def _core(box: Box, height_px: float) -> tuple[float, float]:
    reach = _CORE_SHARE / 2 * min(box.height, 1.5 * height_px)
    return box.centre_y - reach, box.centre_y + reach


def _strips(boxes: Sequence[Box], height_px: float) -> list[_Strip]:
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


def _bands(strips: Sequence[_Strip], height_px: float) -> list[list[Box]]:
    """Boxes of consecutive strips that share a gutter, or have none.

    A wide vertical gap ends a band with a gutter: what comes below it is laid out anew.
    """
    bands: list[list[Box]] = []
    shared: list[_Span] = []
    bottom = -math.inf
    for strip in strips:
        own = _spans(_sides(strip), height_px)
        together = _spans([*shared, *own], height_px)
        if len(shared) > 1:
            is_near = min(box.top for box in strip) - bottom <= _BAND_GAP_MAX * height_px
            joins = is_near and len(together) > 1
        else:
            joins = bool(bands) and len(own) == 1
        if not joins:
            bands.append([])
            together, bottom = own, -math.inf
        bands[-1] += strip
        shared = together
        bottom = max(bottom, *(box.bottom for box in strip))
    return bands


def _sides(boxes: Sequence[Box]) -> list[_Span]:
    return [(box.left, box.right) for box in boxes]


def _spans(pieces: Sequence[_Span], height_px: float) -> list[_Span]:
    """Pieces of the horizontal axis joined where less than a gutter parts them, from left to right."""
    spans: list[_Span] = []
    for left, right in sorted(pieces):
        if spans and left - spans[-1][1] < _GUTTER_MIN * height_px:
            spans[-1] = spans[-1][0], max(spans[-1][1], right)
        else:
            spans.append((left, right))
    return spans


def _columns(boxes: Sequence[Box], height_px: float) -> tuple[list[Box], list[Box]] | None:
    """The boxes left and right of a gutter between columns of text, None where there is none.

    Where either side is not running text, the two are cells of common rows.
    """
    spans = _spans(_sides(boxes), height_px)
    gutters = [(right[0] - left[1], left[1]) for left, right in pairwise(spans)]
    for _, edge_px in sorted(gutters, reverse=True):
        left = [box for box in boxes if box.right <= edge_px]
        right = [box for box in boxes if box.right > edge_px]
        if _is_running_text(left, height_px) and _is_running_text(right, height_px):
            return left, right
    return None


def _is_running_text(boxes: Sequence[Box], height_px: float) -> bool:
    rows = _rows(boxes, height_px)
    if len(rows) < _COLUMN_LINES_MIN:
        return False
    widths = [sum(box.width for box in row) for row in rows]
    side_px = max(box.right for box in boxes) - min(box.left for box in boxes)
    full = sum(width >= _COLUMN_FILL_MIN * side_px for width in widths) / len(widths)
    return median(widths) >= _COLUMN_LINE_LENGTH_MIN * height_px and full >= _COLUMN_FULL_SHARE_MIN


def _rows(boxes: Sequence[Box], height_px: float) -> list[_Row]:
    """Boxes as rows: top to bottom, each from left to right."""
    return [row for strip in _strips(boxes, height_px) for row in _rows_of_strip(strip, height_px)]


def _rows_of_strip(strip: _Strip, height_px: float) -> list[_Row]:
    rows: list[_Row] = []
    for box in sorted(strip, key=lambda box: box.centre_y):
        if rows and all(same_row(other, box, height_px) for other in rows[-1]):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda box: box.left) for row in rows]
