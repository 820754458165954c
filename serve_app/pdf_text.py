"""The text layer of a PDF page as regions, for readers who trust it more than a reading."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from deployments.geometry import quad_from_box
from deployments.types import Kind, Points
from serve_app.results import Region

ENGINE = "text-layer"

# A page with fewer letters than this is a scan with a stamp or a page number laid over it.
_LETTERS_MIN = 16
# One with more of either is a map, a drawing or made to keep us busy, and is read from its picture.
CHARACTERS_MAX = 100_000
LINES_MAX = 5_000
# Share of the height of a line that parts two pieces of a row: cells of a table, columns.
_GAP_MAX = 1.2

_Box = tuple[float, float, float, float]


@dataclass(slots=True)
class _Line:
    """Characters of one line and their boxes: left, top, right, bottom in pixels.

    ``turns`` is how many quarters counter-clockwise they are turned on the drawn page.
    """

    turns: int = 0
    text: list[str] = field(default_factory=list)
    boxes: list[_Box | None] = field(default_factory=list)
    last: _Box | None = None


def text_regions(page: Any, size: tuple[int, int]) -> tuple[Region, ...]:
    """Lines of the text layer in its own order, in pixels of the page drawn at ``size``.

    Nothing where the page has next to no text, or far too much. The caller holds pdfium's lock.
    """
    with closing(page.get_textpage()) as text_page:
        if text_page.count_chars() > CHARACTERS_MAX:
            return ()
        lines = list(_lines(page, text_page, size))
    regions = tuple(region for line in lines if (region := _region(line)) is not None)
    if len(regions) > LINES_MAX:
        return ()
    letters = sum(character.isalnum() for region in regions for character in region.text or "")
    return regions if letters >= _LETTERS_MIN else ()


def _lines(page: Any, text_page: Any, size: tuple[int, int]) -> Iterator[_Line]:
    line = _Line()
    for index, character in _characters(text_page):
        if character in "\r\n":
            yield line
            line = _Line()
            continue
        box = None if character.isspace() else _box_px(page, text_page, index, size)
        if box is not None and not _is_shown(box, size):
            continue
        if box is not None:
            turns = _turns(page, text_page, index)
            if line.last is None:
                line.turns = turns
            elif turns != line.turns or _starts_a_line(box, line.last, turns):
                yield line
                line = _Line(turns)
        line.text.append(character)
        line.boxes.append(box)
        line.last = box or line.last
    yield line


def _is_shown(box: _Box, size: tuple[int, int]) -> bool:
    """Whether a character's middle lies on the page: a crop box hides the other half of a spread."""
    left, top, right, bottom = box
    return 0 <= (left + right) / 2 <= size[0] and 0 <= (top + bottom) / 2 <= size[1]


def _turns(page: Any, text_page: Any, index: int) -> int:
    """Quarters counter-clockwise by which a character is turned on the drawn page."""
    clockwise_deg = math.degrees(pdfium.FPDFText_GetCharAngle(text_page, index)) + page.get_rotation()
    return int(-round(clockwise_deg / 90) % 4)


def _starts_a_line(box: _Box, last: _Box, turns: int) -> bool:
    """Whether a character stands far behind the last one or before it, or below it and back from it.

    pdfium runs all of these together with what was before.
    """
    start, (last_start, last_end) = _along(box, turns)[0], _along(last, turns)
    height_px = last[2] - last[0] if turns % 2 else last[3] - last[1]
    if max(start - last_end, last_start - start) > _GAP_MAX * height_px:
        return True
    left, top, _, bottom = box
    centre_y = (top + bottom) / 2
    return not turns and not last[1] < centre_y < last[3] and left < last[0] - (bottom - top)


def _along(box: _Box, turns: int) -> tuple[float, float]:
    """Where a box begins and ends along text that is turned so."""
    left, top, right, bottom = box
    return ((left, right), (-bottom, -top), (-right, -left), (top, bottom))[turns]


def _characters(text_page: Any) -> Iterator[tuple[int, str]]:
    high = 0
    for index in range(text_page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code <= 0xDFFF and high:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
        high = 0
        # 0xFFFE and 0xFFFF mark characters without a meaning; 2 is pdfium's soft hyphen.
        if code == 2:
            yield index, "-"
        elif code >= 32 and not 0xDC00 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF):
            yield index, chr(code)
        elif code in (10, 13):
            yield index, "\n"


def _box_px(page: Any, text_page: Any, index: int, size: tuple[int, int]) -> _Box | None:
    """A character's box on the drawn page; the page's turn and crop are followed."""
    try:
        left, bottom, right, top = text_page.get_charbox(index, loose=True)
    except Exception:
        return None
    width, height = size
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for at in ((left, top), (right, bottom)):
        # Device coordinates are whole numbers: a hundredth of a pixel is asked for.
        pdfium.FPDF_PageToDevice(page, 0, 0, width * 100, height * 100, 0, *at, x, y)
        corners.append((x.value / 100, y.value / 100))
    (x1, y1), (x2, y2) = corners
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _region(line: _Line) -> Region | None:
    kept = [i for i, box in enumerate(line.boxes) if box is not None]
    if not kept:
        return None
    boxes = np.array([line.boxes[i] for i in kept], np.float64)
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    if right - left < 1 or bottom - top < 1:
        return None
    # From the text's own top left corner on.
    quad: Points = np.roll(quad_from_box((left, top, right - left, bottom - top)), line.turns, axis=0)
    text, places = _joined(line, kept[0], kept[-1] + 1)
    spans = _spans(places, line.turns, (left, top, right, bottom))
    return Region(quad, 1.0, Kind.PRINTED, 1.0, text, 1.0, ENGINE, char_spans=spans)


def _joined(line: _Line, first: int, end: int) -> tuple[str, list[_Box | None]]:
    """Text of some characters with single spaces, and the box of each, None where there is none."""
    text: list[str] = []
    places: list[_Box | None] = []
    for character, box in zip(line.text[first:end], line.boxes[first:end], strict=True):
        if not character.isspace():
            text.append(character)
            places.append(box)
        elif text[-1] != " ":
            text.append(" ")
            places.append(None)
    return "".join(text), places


def _spans(places: Sequence[_Box | None], turns: int, around: _Box) -> tuple[tuple[float, float], ...]:
    """Begin and end of each character as shares of its line; those without a box fill what is between."""
    start, end = _along(around, turns)
    shares = [
        box and tuple(round((place - start) / (end - start), 4) for place in _along(box, turns))
        for box in places
    ]
    afters, after = [1.0] * len(shares), 1.0
    for i, share in reversed([*enumerate(shares)]):
        afters[i] = after
        after = share[0] if share else after
    spans: list[tuple[float, float]] = []
    for share, after in zip(shares, afters, strict=True):
        before = spans[-1][1] if spans else 0.0
        spans.append((share[0], share[1]) if share else (before, max(before, after)))
    return tuple(spans)
