"""Make the font of searchable PDFs: ``python -m tests.glyphless_font`` writes it where it is used.

One glyph beside ``.notdef``, as wide as half a line is high: a line there and back, which has a box
around it and no area, since some readers pass over text without a box. Text set in it is there for
searching and copying, while the picture of the page is what is seen.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

FONT = Path(__file__).parents[1] / "serve_app" / "render" / "glyphless.ttf"


def font_bytes() -> bytes:
    """The font, the same bytes every time."""
    builder = FontBuilder(unitsPerEm=1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "blank"])
    builder.setupCharacterMap({0x20: "blank"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "blank": _without_area()})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "blank": (500, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "GlyphLess", "styleName": "Regular", "psName": "GlyphLess"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost(isFixedPitch=1)
    builder.font["head"].created = builder.font["head"].modified = 0
    builder.font.recalcTimestamp = False
    stream = io.BytesIO()
    builder.save(stream)
    return stream.getvalue()


def _without_area() -> Any:
    pen = TTGlyphPen(None)
    pen.moveTo((0, -200))
    pen.lineTo((500, 800))
    pen.closePath()
    return pen.glyph()


if __name__ == "__main__":
    FONT.write_bytes(font_bytes())
