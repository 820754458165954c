"""What is taken from fetched fonts and documents, and the manifests that pin them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from training.synth import font_fetch, fonts, text_fetch
from training.synth.font_fetch import FetchError, drawn_characters, fetch_fonts


def _bar(x: int) -> object:
    pen = TTGlyphPen(None)
    pen.moveTo((x, 0))
    for point in ((x, 700), (x + 100, 700), (x + 100, 0)):
        pen.lineTo(point)
    pen.closePath()
    return pen.glyph()


def test_only_letters_with_ink_of_their_own_count(tmp_path: Path) -> None:
    shapes = {"a": 50, "A": 150, "d": 250, "D": 250, "T": 350}
    empty = TTGlyphPen(None).glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "space", "blank", *shapes])
    builder.setupCharacterMap(
        {32: "space", ord("b"): "blank", ord("c"): ".notdef"} | {ord(c): c for c in shapes}
    )
    glyphs = {".notdef": _bar(400), "space": empty, "blank": empty} | {c: _bar(x) for c, x in shapes.items()}
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (600, shapes.get(name, 400)) for name in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Bars", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "bars.ttf")
    # b is blank, c is tofu, d is drawn as a capital
    assert drawn_characters(tmp_path / "bars.ttf") == frozenset("aADT ")


def test_too_many_missing_packages_stop_the_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_fetch, "_run", lambda command, directory: False)
    with pytest.raises(FetchError, match=r"\d+ of \d+ font packages could not be fetched"):
        fetch_fonts(tmp_path, workers=1)


@pytest.mark.parametrize("section", ["debian", "npm"])
def test_every_font_package_is_pinned_with_its_licence(section: str) -> None:
    entries = json.loads(fonts.MANIFEST.read_text(encoding="utf-8"))[section]
    assert len({entry["package"] for entry in entries}) == len(entries)
    assert all(entry["version"] and entry["licence"] for entry in entries)
    assert {entry["style"] for entry in entries} == {"printed", "handwritten"}


def test_texts_of_the_evaluation_set_are_no_source() -> None:
    entries = json.loads(text_fetch.MANIFEST.read_text(encoding="utf-8"))
    assert all(entry["version"] and entry["licence"] for entry in entries)
    assert not any("maint-guide" in entry["package"] or "debmake" in entry["package"] for entry in entries)


def test_manual_pages_lose_their_markup(tmp_path: Path) -> None:
    page = r""".TH LS 1
.SH NAME
ls \- list \fBdirectory\fP contents
.\" a comment
.BR open (2)
opens it
"""
    path = tmp_path / "man" / "ls.1.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(page.encode()))
    text = " | ".join(text_fetch._man_text(path))
    assert "NAME ls - list directory contents" in text
    assert "open(2) opens it" in text
    assert "comment" not in text and "\\" not in text


def test_web_pages_give_their_paragraphs(tmp_path: Path) -> None:
    page = "<head><title>x</title></head><p>Один &amp; <b>два</b></p><script>no()</script><li>три</li>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    found = [block.strip() for block in text_fetch._html_text(tmp_path / "a.html") if block.strip()]
    assert found == ["Один & два", "три"]


@pytest.mark.parametrize(
    ("text", "ru", "en"),
    [("Просто текст file", True, False), ("only English here", False, True), ("123", False, False)],
)
def test_paragraphs_are_sorted_by_language(text: str, ru: bool, en: bool) -> None:
    assert (text_fetch._is_in(text, "ru"), text_fetch._is_in(text, "en")) == (ru, en)
