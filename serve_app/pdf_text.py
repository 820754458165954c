"""The text layer of a PDF page as regions, for readers who trust it more than a reading."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
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

    Nothing where the page has next to no text. The caller holds pdfium's lock.
    """
    with closing(page.get_textpage()) as text_page:
        lines = list(_lines(page, text_page, size))
    regions = tuple(region for line in lines if (region := _region(line)) is not None)
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
            elif turns != line.turns or (not turns and _starts_a_line(box, line.last)):
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


def _starts_a_line(box: _Box, last: _Box) -> bool:
    """Whether a character stands below the last one and back from it: pdfium runs such lines together."""
    left, top, _, bottom = box
    centre_y = (top + bottom) / 2
    return not last[1] < centre_y < last[3] and left < last[0] - (bottom - top)


def _characters(text_page: Any) -> Iterator[tuple[int, str]]:
    for index in range(text_page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        # 0xFFFE and 0xFFFF mark characters without a meaning; 2 is pdfium's soft hyphen.
        if code == 2:
            yield index, "-"
        elif code >= 32 and not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF):
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
    text = "".join(line.text)
    kept = [i for i in range(len(text)) if line.boxes[i] is not None]
    if not kept:
        return None
    boxes = np.array([line.boxes[i] for i in kept], np.float64)
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    if right - left < 1 or bottom - top < 1:
        return None
    level = quad_from_box((float(left), float(top), float(right - left), float(bottom - top)))
    # From the text's own top left corner on.
    quad: Points = np.roll(level, line.turns, axis=0)
    words = " ".join(text[kept[0] : kept[-1] + 1].split())
    return Region(quad, 1.0, Kind.PRINTED, None, words, 1.0, ENGINE)
