"""A document as a searchable PDF: each page its picture, over invisible text that can be selected.

The text is set word by word along its line in a font without outlines, stretched to the word's
width, so that a selection lies on the words of the picture. Codes are code points of the basic
plane; a ToUnicode map gives them back as they are. Characters beyond it, which no recogniser here
reads, are replaced.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
from pikepdf import Array, Dictionary, Name

from deployments.geometry import quad_size
from deployments.types import Points
from serve_app.render.images import PageImage
from serve_app.render.xml import SOFTWARE
from serve_app.results import DocumentResult, PageResult, Region
from serve_app.words import Word, words_of

_POINTS_PER_INCH = 72.0
_A4_LONGER_INCH = 11.69
# Of a page, as readers take it.
_MIN_SIDE_PT, _MAX_SIDE_PT = 3.0, 14_400.0
# Of the font: the width of every character, and how far it reaches below the baseline, in ems.
_ADVANCE = 0.5
_DESCENT = 0.2
# Lines askew by more are set along their slope.
_ASKEW_MAX_DEG = 3.0
_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def render(document: DocumentResult, images: Iterable[PageImage]) -> bytes:
    """The PDF; ``images`` gives one picture a page. A page that failed is its picture alone."""
    with pikepdf.Pdf.new() as pdf:
        font = _font(pdf)
        for page, image in zip(document.pages, images, strict=True):
            _add_page(pdf, page, image, font)
        pdf.docinfo["/Producer"] = SOFTWARE
        names = [page.origin.file_name for page in document.pages if page.origin]
        if names and names[0]:
            pdf.docinfo["/Title"] = names[0]
        stream = io.BytesIO()
        pdf.save(stream, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return stream.getvalue()


def _add_page(pdf: pikepdf.Pdf, page: PageResult, image: PageImage, font: Any) -> None:
    points_per_px = _scale(page)
    width_pt, height_pt = page.width_px * points_per_px, page.height_px * points_per_px
    sheet_pt = [max(round(side_pt, 3), _MIN_SIDE_PT) for side_pt in (width_pt, height_pt)]
    sheet = pdf.add_blank_page(page_size=(sheet_pt[0], sheet_pt[1]))
    picture = pdf.make_stream(
        image.jpeg,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=page.width_px,
        Height=page.height_px,
        ColorSpace=Name.DeviceGray if image.is_grey else Name.DeviceRGB,
        BitsPerComponent=8,
        Filter=Name.DCTDecode,
    )
    if page.orientation_deg:
        # Shown so that the text is level, whichever way the page lay on the scanner.
        sheet.Rotate = 360 - page.orientation_deg
    sheet.Resources = Dictionary(XObject=Dictionary(Page=picture), Font=Dictionary(Text=font))
    shown = f"q {width_pt:.3f} 0 0 {height_pt:.3f} 0 0 cm /Page Do Q\n"
    lines = (_line(region, page.height_px, points_per_px) for region in page.regions)
    text = "".join(line for line in lines if line)
    sheet.Contents = pdf.make_stream(f"{shown}BT 3 Tr\n{text}ET\n".encode("ascii"))


def _scale(page: PageResult) -> float:
    """Points a pixel: by the page's resolution, or to the size of A4 where nobody knows it."""
    longer_px = max(page.width_px, page.height_px)
    dpi = (page.origin.dpi if page.origin else None) or longer_px / _A4_LONGER_INCH
    return min(_POINTS_PER_INCH / dpi, _MAX_SIDE_PT / longer_px)


def _line(region: Region, page_height_px: int, points_per_px: float) -> str:
    """Operators that show the words of a line."""
    words = words_of(replace(region, quad=_levelled(region.quad)))
    if not words:
        return ""
    size_pt = max(quad_size(region.quad)[1] * points_per_px, 1.0)
    shown = [f"/Text {size_pt:.2f} Tf\n"]
    for word, following in zip(words, [*words[1:], None], strict=True):
        quad = _to_points(word.quad, page_height_px, points_per_px)
        shown.append(_word(word, following is not None, quad, size_pt))
    return "".join(shown)


def _levelled(quad: Points) -> Points:
    """The quad turned about its middle to the nearest of the page's axes, where that is near.

    Readers gather lines by height: on a page a degree askew, they tear the ends of lines off and
    mix them up with the lines above and below.
    """
    (top_left, top_right, bottom_right, bottom_left), middle = quad.astype(np.float64), quad.mean(axis=0)
    across = top_right - top_left + bottom_right - bottom_left
    angle_deg = math.degrees(math.atan2(across[1], across[0]))
    quarters = round(angle_deg / 90)
    if abs(angle_deg - 90 * quarters) > _ASKEW_MAX_DEG:
        return quad
    along = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]) / 2
    down = np.array([-along[1], along[0]])
    width, height = quad_size(quad)
    corners = [middle + x * width * along + y * height * down for x, y in _CORNERS]
    return np.array(corners, dtype=np.float32)


def _word(word: Word, is_followed: bool, quad: Points, size_pt: float) -> str:
    # A space of its own parts words for readers that look at characters rather than at gaps.
    codes = _codes(word.text + " " * is_followed)
    top_left, _, bottom_right, bottom_left = quad.astype(np.float64)
    across = bottom_right - bottom_left
    length_pt = max(math.hypot(*across), 0.01)
    cos, sin = across / length_pt
    x, y = bottom_left + _DESCENT * (top_left - bottom_left)
    natural_pt = len(word.text) * _ADVANCE * size_pt
    stretch = 100 * length_pt / natural_pt
    matrix = f"{cos:.5f} {sin:.5f} {-sin:.5f} {cos:.5f} {x:.2f} {y:.2f}"
    return f"{stretch:.2f} Tz {matrix} Tm <{codes}> Tj\n"


def _codes(text: str) -> str:
    """Code points as hexadecimal numbers of four digits."""
    return "".join(
        f"{0xFFFD if code > 0xFFFF or 0xD800 <= code <= 0xDFFF else code:04X}" for code in map(ord, text)
    )


def _to_points(quad: Points, page_height_px: int, points_per_px: float) -> Points:
    """Corners in points, with y up from the bottom of the page."""
    flipped = quad * np.array([1, -1]) + np.array([0, page_height_px])
    return np.asarray(flipped * points_per_px, np.float32)


def _font(pdf: pikepdf.Pdf) -> Any:
    """A composite font whose every code shows the one glyph, which leaves no mark."""
    descriptor = pdf.make_indirect(
        Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name.GlyphLess,
            Flags=5,
            FontBBox=Array([0, -200, 500, 800]),
            ItalicAngle=0,
            Ascent=800,
            Descent=-200,
            CapHeight=800,
            StemV=80,
            FontFile2=pdf.make_stream(_font_file()),
        )
    )
    descendant = pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name.GlyphLess,
            CIDSystemInfo=Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
            FontDescriptor=descriptor,
            DW=round(1000 * _ADVANCE),
            CIDToGIDMap=pdf.make_stream(b"\x00\x01" * 65536),
        )
    )
    return pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name.GlyphLess,
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([descendant]),
            ToUnicode=pdf.make_stream("".join(_to_unicode()).encode("ascii")),
        )
    )


@cache
def _font_file() -> bytes:
    return Path(__file__).with_name("glyphless.ttf").read_bytes()


def _to_unicode() -> Iterator[str]:
    """A CMap that takes every code to the code point of the same number."""
    yield "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
    yield "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
    yield "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
    yield "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
    # A range may not pass from one high byte to the next, nor a block have over 100 ranges.
    for first in range(0, 256, 64):
        yield "64 beginbfrange\n"
        yield from (f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>\n" for high in range(first, first + 64))
        yield "endbfrange\n"
    yield "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
