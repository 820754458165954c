"""Font files of a few plain shapes, for tests that need to know what a face draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

Outline = Sequence[tuple[int, int]]


def write_font(path: Path, outlines: Mapping[str, Outline], advances: Mapping[str, int] | int) -> Path:
    """A font of 1000 units to the em with an outline (none: blank) and an advance for each character."""
    names = {character: f"glyph{ord(character)}" for character in outlines}
    glyphs = {names[character]: _glyph(outline) for character, outline in outlines.items()}
    widths = {
        names[character]: advances if isinstance(advances, int) else advances[character]
        for character in outlines
    }
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *glyphs])
    builder.setupCharacterMap({ord(character): name for character, name in names.items()})
    builder.setupGlyf({".notdef": _glyph(((100, 0), (100, 50), (150, 50), (150, 0))), **glyphs})
    metrics = {
        name: (width, glyphs[name].xMin if glyphs[name].numberOfContours else 0)
        for name, width in widths.items()
    }
    builder.setupHorizontalMetrics({".notdef": (600, 100), **metrics})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


def _glyph(outline: Outline) -> object:
    pen = TTGlyphPen(None)
    if outline:
        pen.moveTo(outline[0])
        for point in outline[1:]:
            pen.lineTo(point)
        pen.closePath()
    return pen.glyph()
