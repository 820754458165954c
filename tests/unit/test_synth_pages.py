"""Pages and their truth: where the ink is, the truth says so, and the same seed gives the same page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from training.synth import vocabulary
from training.synth.alphabet import CHARSET, CYRILLIC, LATIN
from training.synth.canvas import oriented_quad
from training.synth.drawing import draw
from training.synth.fonts import FontFace
from training.synth.ink import glyph
from training.synth.inking import ink_on_paper
from training.synth.layouts import Hand, Ink, Layout, Line, Mark, MarkKind, Span
from training.synth.page_kinds import KINDS
from training.synth.page_source import Paragraphs, Source
from training.synth.page_store import PageWriter
from training.synth.pages import apply, characters, is_visible, label, main, page, sample
from training.synth.palette import FaceBook, family
from training.synth.typeset import Column, Style, break_lines, fit, line_box, paragraph, put

_TEXTS = {
    "ru": (
        "Съешь ещё этих мягких французских булок, да выпей чаю.",
        "Дом на горе виден издалека всем идущим.",
    ),
    "en": (
        "The quick brown fox jumps over the lazy dog again.",
        "A letter came in the morning from the bank.",
    ),
}


def _face(name: str, style: str = "printed", look: str = "") -> FontFace:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    assert path.is_file()
    drawn = frozenset(c for c in CHARSET if c == " " or glyph(path, 20, c).mask.any())
    scripts = frozenset({"latin", "cyrillic"})
    return FontFace(path, name, style, scripts, "Bitstream-Vera", drawn, look)  # type: ignore[arg-type]


SANS = _face("DejaVuSans")
MONO = _face("DejaVuSansMono", look="mono")
HAND = _face("DejaVuSerif-Italic", style="handwritten")


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(FaceBook.of([SANS, MONO, HAND]), Paragraphs(_TEXTS))


def _layout() -> Layout:
    layout = Layout("test", 600, 400, 100.0)
    layout.add_ink(Ink((0, 0, 0)))
    return layout


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_draws_a_page_whose_truth_lies_inside(source: Source, kind: str) -> None:
    found = 0
    for index in range(2):
        drawn = page(7, index, source, kind)
        height, width = drawn.image.shape[:2]
        assert drawn.image.dtype == np.uint8 and drawn.kind == kind
        for line in drawn.lines:
            assert line.text == line.text.strip() != ""
            assert line.kind in ("printed", "handwritten")
            assert line.quad.shape == (4, 2)
            assert (line.quad >= 0).all() and (line.quad <= (width, height)).all()
            assert cv2.contourArea(line.quad) > 0
        found += len(drawn.lines)
    assert found > 0


def test_a_page_depends_on_seed_and_index_alone(source: Source) -> None:
    first, again = page(3, 5, source), page(3, 5, source)
    assert np.array_equal(first.image, again.image)
    assert label(first) == label(again)
    other = page(3, 6, source)
    assert other.image.shape != first.image.shape or not np.array_equal(other.image, first.image)


def test_applying_a_spec_twice_gives_the_same_pixels(source: Source) -> None:
    spec = sample(np.random.default_rng(1), source, "form")
    assert np.array_equal(apply(spec).image, apply(spec).image)


def test_unknown_kind_is_named_in_the_error(source: Source) -> None:
    with pytest.raises(ValueError, match="unknown page kind 'poster'"):
        sample(np.random.default_rng(0), source, "poster")


def test_forms_hold_both_kinds_of_line(source: Source) -> None:
    kinds = {line.kind for index in range(4) for line in page(1, index, source, "form").lines}
    assert kinds == {"printed", "handwritten"}


def test_char_quads_are_one_a_visible_character(source: Source) -> None:
    drawn = page(11, 0, source, "book")
    for line, entry in zip(drawn.lines, characters(drawn), strict=True):
        assert [line.text[i] for i in entry["index"]] == [c for c in line.text if not c.isspace()]
        assert len(entry["quads"]) == len(entry["index"])


def test_printed_truth_holds_the_ink_and_little_else() -> None:
    layout = _layout()
    put(layout, "Высота букв", Style(SANS, 40.0, 0), (50, 200))
    planes, (line,) = draw(layout)
    rows, columns = np.nonzero(planes[0])
    low, high = line.hull.min(0), line.hull.max(0)
    assert low[0] <= columns.min() <= low[0] + 5 and high[0] - 5 <= columns.max() + 1 <= high[0]
    assert low[1] <= rows.min() <= low[1] + 12 and high[1] - 12 <= rows.max() + 1 <= high[1]
    assert line.chars.shape == (10, 4, 2)


def test_a_rising_hand_gives_a_rising_quad_around_its_ink() -> None:
    layout = _layout()
    hand = Hand(slope_deg=5.0, shear=0.2, seed=3)
    put(layout, "обычная строка письма", Style(HAND, 30.0, 0, "handwritten", hand), (40, 250))
    planes, (line,) = draw(layout)
    quad = oriented_quad(line.hull, line.spine)
    slope = np.degrees(np.arctan2(quad[0, 1] - quad[1, 1], quad[1, 0] - quad[0, 0]))
    assert slope == pytest.approx(5.0, abs=1.0)
    rows, columns = np.nonzero(planes[0] > 128)
    inside = [
        cv2.pointPolygonTest(quad, (float(x), float(y)), True) for x, y in zip(columns, rows, strict=True)
    ]
    assert min(inside) > -2.5


def test_lines_never_stand_on_claimed_ground() -> None:
    layout, style = _layout(), Style(SANS, 20.0, 0)
    assert put(layout, "first", style, (50, 100)) > 0
    assert put(layout, "second", style, (60, 105)) == 0
    assert put(layout, "off the sheet", style, (580, 300)) == 0
    assert [line.text for line in layout.lines] == ["first"]


@pytest.mark.parametrize("kind", ["form", "book", "receipt", "table", "payment"])
def test_printed_lines_do_not_overlap(source: Source, kind: str) -> None:
    layout = sample(np.random.default_rng(5), source, kind).layout
    boxes = np.array([line_box(line, 0.5, 0.1) for line in layout.lines if line.hand is None])
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        others = np.delete(boxes, index, axis=0)
        apart = (others[:, 0] >= x1) | (others[:, 2] <= x0) | (others[:, 1] >= y1) | (others[:, 3] <= y0)
        assert apart.all()


def test_alignment_places_the_named_end() -> None:
    style = Style(SANS, 20.0, 0)
    for align, expected in (
        ("left", 300.0),
        ("right", 300.0 - style.width("1234")),
        ("center", 300.0 - style.width("1234") / 2),
    ):
        layout = _layout()
        put(layout, "1234", style, (300, 100), align)
        assert layout.lines[0].spans[0].x_px == pytest.approx(expected)


def test_line_breaking_keeps_all_words_within_the_width() -> None:
    style, words = Style(SANS, 20.0, 0), _TEXTS["en"][0].split()
    rows = break_lines(words, style, 150.0)
    assert [word for row in rows for word in row] == words
    assert all(style.width(" ".join(row)) <= 150.0 for row in rows if len(row) > 1)
    assert len(rows) > 2


def test_justified_paragraphs_reach_the_right_margin() -> None:
    layout, style = _layout(), Style(SANS, 16.0, 0)
    paragraph(layout, _TEXTS["en"][0].split() * 4, style, Column(50, 300, 24, justify=True), 60, 380)
    ends = [
        line.spans[-1].x_px + style.width(line.spans[-1].text)
        for line in layout.lines[:-1]
        if len(line.spans) > 1
    ]
    assert ends and ends == pytest.approx([350.0] * len(ends))


def test_fit_shrinks_then_drops_words() -> None:
    style = Style(SANS, 20.0, 0)
    text, smaller = fit("three short words", style, style.width("three short words") * 0.8)
    assert text == "three short words" and smaller.size_px < style.size_px
    text, smallest = fit("three short words", style, 60.0, smallest=0.9)
    assert text == "three" and smallest.size_px == pytest.approx(18.0)


def test_fit_in_no_width_at_all() -> None:
    style = Style(SANS, 20.0, 0)
    assert fit("", style, -5.0) == ("", style)
    text, smallest = fit("a b", style, -5.0)
    assert text == "a" and smallest.size_px == pytest.approx(12.0)


def test_characters_that_a_face_lacks_are_left_out_of_truth() -> None:
    narrow = replace(SANS, characters=frozenset("abc "))
    layout = _layout()
    put(layout, "a §b c", Style(narrow, 20.0, 0), (50, 100))
    assert layout.lines[0].text == "a b c"


def test_faded_lines_are_not_called_visible() -> None:
    picture = np.full((40, 100, 3), 200, np.uint8)
    quad = np.float32([[10, 10], [90, 10], [90, 30], [10, 30]])
    assert not is_visible(picture, quad)
    picture[15:25, 20:40] = 60
    assert is_visible(picture, quad)


def test_ink_takes_its_colour_where_coverage_is_full() -> None:
    plane = np.zeros((20, 20), np.uint8)
    plane[5:10, 5:10] = 255
    sheet = ink_on_paper([plane], [Ink((10, 20, 200))], np.random.default_rng(0))
    assert sheet[7, 7].tolist() == pytest.approx([10, 20, 200], abs=1)
    assert sheet[15, 15].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", list(MarkKind))
def test_every_mark_leaves_a_trace_in_its_box_only(kind: MarkKind) -> None:
    from training.synth.distractors import draw_mark

    sheet = np.full((120, 160, 3), 255, np.uint8)
    draw_mark(sheet, Mark(kind, (30, 20, 110, 90), seed=4, colour=(20, 20, 120)))
    assert (sheet[20:90, 30:110] < 255).any()
    sheet[20:90, 30:110] = 255
    assert (sheet == 255).all()


def test_a_mark_over_the_edge_is_cut_off() -> None:
    from training.synth.distractors import draw_mark

    sheet = np.full((50, 50, 3), 255, np.uint8)
    draw_mark(sheet, Mark(MarkKind.PHOTO, (-20, 30, 30, 80), seed=1))
    assert (sheet[35:, :25] < 255).any() and (sheet[:30] == 255).all()


def test_faces_of_a_family_count_once() -> None:
    faces = [replace(SANS, name=f"pt-mono-{w}-normal") for w in (400, 700)] + [
        replace(SANS, name="Hack-Bold")
    ]
    assert [family(face) for face in faces] == ["pt-mono", "pt-mono", "Hack"]
    assert len(FaceBook.fitting(faces, "ru")) == 2
    latin = [replace(SANS, scripts=frozenset({"latin"}))]
    assert FaceBook.fitting(latin, "ru") == []


def test_a_catalogue_without_print_is_refused() -> None:
    with pytest.raises(LookupError, match="no printed face"):
        FaceBook.of([HAND])


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("kind", sorted(vocabulary.VALUES))
def test_values_are_words_of_their_language(kind: str, language: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        text = vocabulary.value(rng, kind, language)
        assert text and text == text.strip()
        assert language == "ru" or not set(text) & CYRILLIC


def test_company_names_are_whole() -> None:
    rng = np.random.default_rng(0)
    names = {vocabulary.company(rng, "en") for _ in range(200)}
    assert not any(name.endswith("&") for name in names)
    assert all(set(name) & LATIN for name in names)


def test_written_sets_have_the_format_of_the_real_ones(tmp_path: Path, source: Source) -> None:
    drawn = page(2, 1, source, "receipt")
    with PageWriter(tmp_path, with_characters=True) as writer:
        writer.add("one", b"jpeg", label(drawn), characters(drawn))
    row = json.loads((tmp_path / "labels.jsonl").read_text(encoding="utf-8"))
    assert row["image"] == "images/one.jpg" and (tmp_path / row["image"]).read_bytes() == b"jpeg"
    line = row["lines"][0]
    assert set(line) == {"bbox", "text", "kind", "polygon"}
    x, y, width, height = line["bbox"]
    points = np.array(line["polygon"])
    assert points.min(0) == pytest.approx([x, y], abs=0.11)
    assert points.max(0) == pytest.approx([x + width, y + height], abs=0.11)
    assert len(json.loads((tmp_path / "chars.jsonl").read_text())["lines"]) == len(row["lines"])


@pytest.mark.parametrize("arguments", [["--number", "0", "--out", "x"], ["--workers", "0", "--out", "x"], []])
def test_bad_arguments_end_with_a_message(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"must be at least 1|say where to write"):
        main(arguments)


def test_missing_texts_name_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"training\.synth texts"):
        Paragraphs.read(tmp_path)


def test_a_comb_keeps_its_letters_as_one_line() -> None:
    layout = _layout()
    spans = tuple(Span(c, SANS, 20, 50.0 + 30 * i) for i, c in enumerate("АБВ"))
    line = Line("АБВ", spans, 100.0, "printed", 0)
    assert layout.place(line, line_box(line))
    _, (drawn,) = draw(layout)
    assert drawn.char_index == (0, 1, 2)
    assert np.diff(drawn.chars[:, 0, 0]) == pytest.approx([30, 30], abs=4)
