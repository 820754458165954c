"""Searchable PDFs, as readers of PDF see them."""

from __future__ import annotations

import io
import shutil
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import PIL.Image
import PIL.ImageChops
import pypdfium2
import pytest

from deployments.types import Kind
from serve_app.documents import open_document
from serve_app.pages import SourceFile
from serve_app.render import pdf
from serve_app.render.images import PageImage, page_image
from serve_app.results import PageOrigin, PageResult, Region
from tests.documents import LINES, WORDS, document_of, failed_page, image, jpeg_of, page_of_lines, picture
from tests.glyphless_font import FONT, font_bytes
from tests.unit.test_pdf import BOUNDS


def texts(data: bytes) -> list[str]:
    """The text of each page, as pdfium finds it."""
    found = []
    with closing(pypdfium2.PdfDocument(data)) as document:
        for page in document:
            with closing(page), closing(page.get_textpage()) as text_page:
                found.append(text_page.get_text_range())
    return found


def poppler(data: bytes, path: Path, *options: str) -> str:
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("no pdftotext on this machine: it is in poppler-utils")
    (path / "read.pdf").write_bytes(data)
    return subprocess.run(
        [program, *options, str(path / "read.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout


def test_pdfium_finds_every_line_as_it_was_read() -> None:
    (text,) = texts(pdf.render(document_of(), [image()]))
    assert [line.rstrip() for line in text.splitlines()] == [line for line, _, _ in LINES]


def test_poppler_finds_every_word_in_order(tmp_path: Path) -> None:
    text = poppler(pdf.render(document_of(), [image()]), tmp_path)
    assert text.split() == WORDS
    for line, _, _ in LINES:
        assert line in text.splitlines()


def test_poppler_finds_words_where_they_stand(tmp_path: Path) -> None:
    listed = poppler(pdf.render(document_of(), [image()]), tmp_path, "-bbox")
    (word,) = [line for line in listed.splitlines() if ">поручение<" in line]
    box = {part.split("=")[0]: float(part.split('"')[1]) for part in word.split(">")[0].split()[1:]}
    # The word is characters 10 to 18 of 24 of a line from 40 to 400 px, at 150 dpi.
    assert box["xMin"] == pytest.approx((40 + 360 * 10 / 24) * 72 / 150, abs=0.6)
    assert box["xMax"] == pytest.approx((40 + 360 * 19 / 24) * 72 / 150, abs=0.6)
    assert box["yMin"] == pytest.approx(40 * 72 / 150, abs=2)


def test_the_picture_is_what_is_seen_and_the_text_is_not() -> None:
    data = pdf.render(document_of(), [image()])
    with closing(pypdfium2.PdfDocument(data)) as document, closing(document[0]) as page:
        assert page.get_size() == pytest.approx((600 * 72 / 150, 400 * 72 / 150), abs=0.01)
        drawn = page.render(scale=150 / 72).to_pil().convert("RGB")
    difference = PIL.ImageChops.difference(drawn, picture())
    assert np.asarray(difference).max() < 24


def test_a_jpeg_is_kept_as_it_was_sent() -> None:
    data = jpeg_of(picture())
    with open_document([SourceFile(data)], BOUNDS) as document:
        (source,) = document
    sent = page_image(source)
    assert sent == PageImage(data, is_grey=False)
    assert page_image(replace(source, is_grey=True)).is_grey  # As it was told: nothing is opened.
    with pikepdf.open(io.BytesIO(pdf.render(document_of(), [sent]))) as made:
        assert made.pages[0].Resources.XObject.Page.read_raw_bytes() == data


def test_a_turned_jpeg_is_written_upright() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture().save(stream, "JPEG", exif=exif)
    with open_document([SourceFile(stream.getvalue())], BOUNDS) as document:
        (source,) = document
    assert source.jpeg is None
    with PIL.Image.open(io.BytesIO(page_image(source).jpeg)) as written:
        assert written.size == (400, 600)


def test_grey_pages_have_one_channel() -> None:
    grey = page_image(open_page(picture().convert("L")))
    assert grey.is_grey
    with pikepdf.open(io.BytesIO(pdf.render(document_of(), [grey]))) as made:
        assert made.pages[0].Resources.XObject.Page.ColorSpace == pikepdf.Name.DeviceGray


def open_page(drawn: PIL.Image.Image):  # type: ignore[no-untyped-def]
    stream = io.BytesIO()
    drawn.save(stream, "PNG")
    with open_document([SourceFile(stream.getvalue())], BOUNDS) as document:
        (source,) = document
    return source


def test_a_page_of_unknown_resolution_is_as_long_as_a4() -> None:
    page = replace(page_of_lines(), origin=None)
    with pikepdf.open(io.BytesIO(pdf.render(document_of(page), [image()]))) as made:
        assert float(made.pages[0].mediabox[2]) == pytest.approx(11.69 * 72, abs=0.01)


def test_no_page_is_larger_than_pdf_allows() -> None:
    page = replace(page_of_lines(), width_px=20_000, origin=PageOrigin(1, dpi=50.0))
    with pikepdf.open(io.BytesIO(pdf.render(document_of(page), [image()]))) as made:
        assert float(made.pages[0].mediabox[2]) == pytest.approx(14_400)


def test_a_page_that_is_a_thin_strip_is_as_high_as_pdf_asks_for() -> None:
    page = replace(page_of_lines(), width_px=3000, height_px=8, origin=None)
    with pikepdf.open(io.BytesIO(pdf.render(document_of(page), [image()]))) as made:
        assert [float(side) for side in made.pages[0].mediabox[2:]] == [pytest.approx(11.69 * 72), 3.0]


def test_a_page_scanned_sideways_is_shown_upright() -> None:
    page = replace(page_of_lines(), orientation_deg=90)
    with pikepdf.open(io.BytesIO(pdf.render(document_of(page), [image()]))) as made:
        assert made.pages[0].Rotate == 270


@pytest.mark.parametrize("turn", range(4))
def test_lines_at_any_angle_can_be_found(turn: int, tmp_path: Path) -> None:
    upright = np.float32([[100, 100], [300, 100], [300, 130], [100, 130]]) - 200
    cos, sin = round(np.cos(turn * np.pi / 2)), round(np.sin(turn * np.pi / 2))
    quad = upright @ np.float32([[cos, sin], [-sin, cos]]) + 200
    region = Region(quad.astype(np.float32), 0.9, Kind.PRINTED, 0.9, "Слева направо", 0.9)
    page = PageResult(0, 400, 400, regions=(region,))
    data = pdf.render(document_of(page), [page_image(open_page(PIL.Image.new("RGB", (400, 400))))])
    assert poppler(data, tmp_path).split() == ["Слева", "направо"]


def test_characters_beyond_the_basic_plane_are_replaced(tmp_path: Path) -> None:
    page = page_of_lines()
    region = replace(page.regions[0], text="a😀b \ud800c")
    data = pdf.render(document_of(replace(page, regions=(region,))), [image()])
    assert poppler(data, tmp_path).split() == ["a\ufffdb", "\ufffdc"]


@pytest.mark.parametrize("text", ["5", "a b c"])
def test_words_of_one_character_are_found(text: str, tmp_path: Path) -> None:
    page = page_of_lines()
    region = replace(page.regions[0], text=text)
    data = pdf.render(document_of(replace(page, regions=(region,))), [image()])
    assert texts(data)[0].split() == poppler(data, tmp_path).split() == text.split()


def test_lines_of_a_page_askew_stay_whole_and_in_order(tmp_path: Path) -> None:
    long_line = "Слова этой строки стоят на скошенной странице одно за другим"
    slope = float(np.tan(np.radians(1.5)))
    line = np.float32([[40, 40 * slope], [560, 560 * slope], [560, 560 * slope + 14], [40, 40 * slope + 14]])
    regions = [
        Region(line + np.float32([0, top]), 0.9, Kind.PRINTED, 0.9, f"{long_line} {number}", 0.9)
        for number, top in enumerate(range(40, 360, 26))
    ]
    data = pdf.render(document_of(replace(page_of_lines(), regions=tuple(regions))), [image()])
    lines = [line for line in poppler(data, tmp_path).splitlines() if line.strip("\f")]
    assert lines == [f"{long_line} {number}" for number in range(len(regions))]


def test_several_pages_and_one_that_failed(tmp_path: Path) -> None:
    data = pdf.render(document_of(page_of_lines(), failed_page()), [image(), image()])
    assert len(texts(data)) == 2 and texts(data)[1] == ""
    with pikepdf.open(io.BytesIO(data)) as made:
        assert str(made.docinfo["/Title"]) == 'счёт "7".png'
        assert made.check_pdf_syntax() == []


def test_the_same_reading_gives_the_same_bytes() -> None:
    assert pdf.render(document_of(), [image()]) == pdf.render(document_of(), [image()])


def test_the_committed_font_is_the_one_that_is_made() -> None:
    assert FONT.read_bytes() == font_bytes(), "run: python -m tests.glyphless_font"
