"""Rows of a page, column by column: the recursive XY-cut (Nagy and Seth, 1984) with rows kept whole.

Where texts go on from line to line on both sides of a gutter, a page is cut there, though some lines reach
across it (``prose_gutter``); first between lines as wide as the page and others, where that shows a
gutter. What is left is cut into bands from top to bottom. A band whose lines leave a gutter free is
either columns, told without their sentences (``free_gutter``), or a table, form or receipt, which is read
row by row. Each side of a gutter is cut again the same way. ``height_px`` is the height of a usual line of
the page everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from serve_app.boxes import Box
from serve_app.gutters import Span, free_gutter, is_across, prose_gutter, sides_of, spans
from serve_app.prose import is_prose
from serve_app.rows import Row, Strip, rows, strips

# What is farther below, in heights of a line, is laid out anew.
_GAP_MAX = 2.5
# Share of the page's width from which on a line is as wide as the page: no column of two is.
_WIDE_SHARE = 0.6
# Columns on both sides of a gap are one where each has so many lines above it and below it: the gap is
# a figure's, or between paragraphs. Shorter ones are footnotes, signatures or headings.
_LONG_LINES_MIN = 3


def rows_in_order(boxes: Sequence[Box], height_px: float) -> list[Row]:
    """Rows of boxes, top to bottom, columns one after the other; each row from left to right."""
    gutter_px = prose_gutter(boxes, height_px)
    if gutter_px is not None:
        return _rows_along(gutter_px, boxes, height_px)
    found = strips(boxes, height_px)
    sections = _sections(found)
    if len(sections) > 1 and any(prose_gutter(section, height_px) is not None for section in sections):
        return [row for section in sections for row in rows_in_order(section, height_px)]
    bands = _bands(found, height_px)
    if len(bands) > 1:
        return [row for band in bands for row in rows_in_order(band, height_px)]
    gutter_px = free_gutter(boxes, height_px)
    if gutter_px is None:
        return rows(boxes, height_px)
    left, right = sides_of(boxes, gutter_px)
    return [*rows_in_order(left, height_px), *rows_in_order(right, height_px)]


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive strips along a gutter: lines cross it in each of them, or in none.

    ``goes_on``: they are columns, at least one of prose, and more than the ends of such.
    """

    boxes: list[Box]
    is_crossed: bool
    goes_on: bool


def _rows_along(gutter_px: float, boxes: Sequence[Box], height_px: float) -> list[Row]:
    """Rows in order of boxes on both sides of a gutter, and of those across it in their place."""
    in_order: list[Row] = []
    for part in _parts(gutter_px, boxes, height_px):
        if part.is_crossed:
            in_order += rows(part.boxes, height_px)
        elif not part.goes_on and _is_long(gutter_px, part.boxes, height_px):
            # A table or a form between the columns: whatever it is, the gutter is not its own.
            in_order += rows_in_order(part.boxes, height_px)
        else:
            for side in sides_of(part.boxes, gutter_px):
                in_order += rows_in_order(side, height_px) if side else []
    return in_order


def _parts(gutter_px: float, boxes: Sequence[Box], height_px: float) -> list[_Part]:
    """Parts from top to bottom: a wide gap begins one, unless columns go on beyond it."""
    parts: list[_Part] = []
    for piece, is_crossed in _pieces(gutter_px, boxes, height_px):
        goes_on = not is_crossed and _goes_on(gutter_px, piece, height_px)
        if goes_on and parts and parts[-1].goes_on:
            parts[-1].boxes.extend(piece)
        else:
            parts.append(_Part(piece, is_crossed, goes_on))
    return parts


def _pieces(gutter_px: float, boxes: Sequence[Box], height_px: float) -> list[tuple[list[Box], bool]]:
    """Consecutive strips that all cross the gutter or all leave it free, without wide gaps between them."""
    pieces: list[tuple[list[Box], bool]] = []
    bottom = -math.inf
    for strip in strips(boxes, height_px):
        is_crossed = any(is_across(box, gutter_px, height_px) for box in strip)
        is_near = min(box.top for box in strip) - bottom <= _GAP_MAX * height_px
        if not pieces or pieces[-1][1] != is_crossed or not is_near:
            pieces.append(([], is_crossed))
            bottom = -math.inf
        pieces[-1][0].extend(strip)
        bottom = max(bottom, *(box.bottom for box in strip))
    return pieces


def _goes_on(gutter_px: float, boxes: Sequence[Box], height_px: float) -> bool:
    has_prose = any(is_prose(side, height_px) for side in sides_of(boxes, gutter_px))
    return has_prose and _is_long(gutter_px, boxes, height_px)


def _is_long(gutter_px: float, boxes: Sequence[Box], height_px: float) -> bool:
    return all(len(rows(side, height_px)) >= _LONG_LINES_MIN for side in sides_of(boxes, gutter_px))


def _sections(found: Sequence[Strip]) -> list[list[Box]]:
    """Boxes of consecutive strips with a line as wide as the page, and of those without."""
    ends = [(box.left, box.right) for strip in found for box in strip]
    page_px = max(right for _, right in ends) - min(left for left, _ in ends)
    sections = groupby(found, lambda strip: any(box.width > _WIDE_SHARE * page_px for box in strip))
    return [[box for strip in section for box in strip] for _, section in sections]


def _bands(found: Sequence[Strip], height_px: float) -> list[list[Box]]:
    """Boxes of consecutive strips that share a free gutter, or have none.

    A wide gap ends a band with a gutter.
    """
    bands: list[list[Box]] = []
    shared: list[Span] = []
    bottom = -math.inf
    for strip in found:
        own = spans([(box.left, box.right) for box in strip], height_px)
        together = spans([*shared, *own], height_px)
        if len(shared) > 1:
            is_near = min(box.top for box in strip) - bottom <= _GAP_MAX * height_px
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
