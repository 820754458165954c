from __future__ import annotations

import io
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.errors import InputError, InvalidParameter, PayloadTooLarge, UnreadableDocument
from deployments.types import Kind
from serve_app import pdf_text
from serve_app.documents import open_document
from serve_app.orientation import orientation_deg
from serve_app.page_ranges import parse_ranges
from serve_app.pages import DocumentOptions, PixelBudget, SourceFile, SourcePage, TextLayer
from serve_app.words import words_of
from tests.pdfs import LETTERS, locked, pdf_of


@dataclass(frozen=True)
class Bounds:
    max_pixels: int = 1_000_000
    max_pages: int = 3
    max_document_pixels: int = 2_000_000
    max_side_px: int = 2000
    min_side_px: int = 8
    max_render_s: float = 10.0


BOUNDS = Bounds()
RED_SQUARE = b"1 0 0 rg 0 150 50 50 re f"


def read(data: bytes, limits: Bounds = BOUNDS, **options: object) -> list[SourcePage]:
    given_options = DocumentOptions(**{"dpi": 72, **options})  # type: ignore[arg-type]
    with open_document([SourceFile(data, "scan.pdf")], limits, given_options) as document:
        return list(document)


def test_a_page_is_drawn_upright_on_white_at_the_resolution_asked_for() -> None:
    (page,) = read(pdf_of([RED_SQUARE]), dpi=144)
    assert page.image.shape == (400, 600, 3) and page.image.dtype == np.uint8
    assert page.image.flags.c_contiguous
    assert page.image[50, 50].tolist() == [255, 0, 0] and page.image[50, 150].tolist() == [255, 255, 255]
    assert page.image[350, 50].tolist() == [255, 255, 255]
    assert (page.origin.number, page.origin.file, page.origin.file_name) == (1, 1, "scan.pdf")
    assert page.origin.dpi == 144 and page.regions is None and page.jpeg is None


def test_a_turned_page_is_drawn_as_it_is_shown() -> None:
    (page,) = read(pdf_of([RED_SQUARE], rotate=90))
    assert page.image.shape == (300, 200, 3)
    assert page.image[10, 190].tolist() == [255, 0, 0]


def test_only_the_pages_asked_for_are_read() -> None:
    data = pdf_of([b"%d 0 0 rg 0 0 300 200 re f" % (number % 2) for number in range(9)])
    pages = read(data, pages=parse_ranges("2,8-"))
    assert [page.origin.number for page in pages] == [2, 8, 9]
    assert [int(page.image[5, 5, 0]) for page in pages] == [255, 255, 0]


def test_none_of_the_pages_asked_for() -> None:
    with pytest.raises(InvalidParameter, match="has 1 page"):
        read(pdf_of(), pages=parse_ranges("2-"))


def test_too_many_pages_are_refused_before_any_is_drawn() -> None:
    with pytest.raises(PayloadTooLarge, match="3 pages at most"):
        open_document([SourceFile(pdf_of([b""] * 4))], BOUNDS)


@pytest.mark.parametrize("size_pt", [(3000, 100), (1100, 1000)])
def test_pages_too_large_are_refused_with_advice(size_pt: tuple[float, float]) -> None:
    with pytest.raises(PayloadTooLarge, match=r"Page 1: .* Ask for a lower dpi"):
        read(pdf_of(size_pt=size_pt))


def test_a_page_that_draws_too_slowly_is_given_up() -> None:
    scribble = b"0 0 m " + b"".join(b"%d %d %d %d 9 9 c " % (i, 7, 300 - i, 90) for i in range(200)) + b"B "
    with pytest.raises(PayloadTooLarge, match=r"longer than 1e-06 s"):
        read(pdf_of([scribble * 400]), replace(BOUNDS, max_render_s=1e-6))


def test_a_password_is_asked_of_nobody() -> None:
    with pytest.raises(UnreadableDocument, match="password"):
        read(locked("secret"))
    assert len(read(locked(""))) == 1


def test_a_pdf_without_pages() -> None:
    with pytest.raises(UnreadableDocument, match="without pages"):
        read(pdf_of([]))


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"x" * 5000, pdf_of()[:300]])
def test_a_damaged_pdf_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match="damaged"):
        read(data)


@settings(max_examples=40, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=6)), max_size=8))
def test_damaged_pdfs_raise_input_errors_alone(edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(pdf_of([LETTERS, RED_SQUARE]))
    for place, patch in edits:
        at = place % len(data)
        data[at : at + len(patch)] = patch
    try:
        pages = read(bytes(data), text_layer=TextLayer.PREFER)
    except InputError:
        return
    assert all(page.image.ndim == 3 for page in pages)


def test_the_text_layer_is_taken_where_it_is_preferred() -> None:
    (page,) = read(pdf_of(), text_layer=TextLayer.PREFER)
    assert page.regions is not None
    assert [region.text for region in page.regions] == ["Payment order 42", "Total due: 1 250"]
    first = page.regions[0]
    assert (first.kind, first.confidence, first.engine) == (Kind.PRINTED, 1.0, "text-layer")
    (left, top), _, (right, bottom), _ = first.quad.tolist()
    ink = np.argwhere(page.image[: int(bottom) + 1].min(axis=2) < 128)
    assert left - 1 <= ink[:, 1].min() and ink[:, 1].max() <= right + 1
    assert top - 1 <= ink[:, 0].min() and 15 < bottom - top < 40


def test_lines_that_wrap_are_lines_of_their_own() -> None:
    wrapped = b"BT /F1 12 Tf 20 150 Td (The agreement between the parties) Tj 0 -14 Td (about rent) Tj ET"
    (page,) = read(pdf_of([wrapped]), text_layer=TextLayer.PREFER)
    assert page.regions is not None
    texts = [region.text for region in page.regions]
    assert texts == ["The agreement between the parties", "about rent"]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_cells_of_a_row_are_lines_of_their_own_whose_words_stand_where_they_are_drawn(rotate: int) -> None:
    row = b"BT /F1 12 Tf 20 150 Td (WWWWW iiiii for services) Tj 230 0 Td (1 250.00) Tj ET"
    (page,) = read(pdf_of([row], rotate=rotate), text_layer=TextLayer.PREFER)
    assert page.regions is not None
    assert {region.text for region in page.regions} == {"WWWWW iiiii for services", "1 250.00"}
    # Wide letters and narrow ones: shares of the text by their number would be off by half the word.
    words = {word.text: word for region in page.regions for word in words_of(region)}
    widths = {text: np.linalg.norm(word.quad[1] - word.quad[0]) for text, word in words.items()}
    assert widths["WWWWW"] == pytest.approx(5 * 12 * 0.944, abs=2)
    assert widths["iiiii"] == pytest.approx(5 * 12 * 0.222, abs=2)
    for word in words.values():
        inside = np.zeros(page.image.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, word.quad.round().astype(np.int32), 1)
        assert (page.image.min(axis=2) < 128)[inside > 0].mean() > 0.05


def test_letters_beyond_the_basic_plane_are_kept() -> None:
    (page,) = read(with_unicode("𝐀"), text_layer=TextLayer.PREFER)
    assert page.regions is not None
    assert "".join(region.text or "" for region in page.regions) == "𝐀" * 20


def with_unicode(letter: str) -> bytes:
    """A PDF whose font says that its ``A`` is another letter."""
    code = letter.encode("utf-16-be").hex()
    mapping = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <FF> "
        f"endcodespacerange 1 beginbfchar <41> <{code}> endbfchar endcmap end end"
    )
    with pikepdf.open(io.BytesIO(pdf_of([b"BT /F1 12 Tf 20 150 Td (%b) Tj ET" % (b"A" * 20)]))) as pdf:
        pdf.pages[0].Resources.Font.F1.ToUnicode = pdf.make_stream(mapping.encode())
        stream = io.BytesIO()
        pdf.save(stream)
    return stream.getvalue()


def test_a_crop_box_beside_the_page_crops_nothing() -> None:
    with pikepdf.open(io.BytesIO(pdf_of())) as pdf:
        pdf.pages[0].cropbox = [1000, 1000, 1200, 1200]
        stream = io.BytesIO()
        pdf.save(stream)
    (page,) = read(stream.getvalue())
    assert page.image.shape == (200, 300, 3) and page.image.min() < 128


@pytest.mark.parametrize(("bound", "value"), [("CHARACTERS_MAX", 20), ("LINES_MAX", 1)])
def test_a_page_with_far_too_much_text_is_read_from_its_picture(
    bound: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_text, bound, value)
    (page,) = read(pdf_of(), text_layer=TextLayer.PREFER)
    assert page.regions is None


@pytest.mark.parametrize(("rotate", "orientation"), [(0, 0), (90, 90), (180, 180), (270, 270)])
def test_a_turned_page_has_its_text_layer_turned_with_it(rotate: int, orientation: int) -> None:
    (page,) = read(pdf_of(rotate=rotate), text_layer=TextLayer.PREFER)
    assert page.regions is not None
    assert orientation_deg(page.regions, 0.0) == orientation
    region = next(each for each in page.regions if each.text == "Payment order 42")
    inside = np.zeros(page.image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, region.quad.round().astype(np.int32), 1)
    assert (page.image.min(axis=2) < 128)[inside > 0].mean() > 0.05
    words = words_of(region)
    assert [word.text for word in words] == ["Payment", "order", "42"]
    # One after the other from the first corner on, each as high as the line.
    along = (region.quad[1] - region.quad[0]) / np.linalg.norm(region.quad[1] - region.quad[0])
    places = [(word.quad.mean(axis=0) - region.quad[0]) @ along for word in words]
    assert 0 < places[0] < places[1] < places[2]


def test_text_up_the_margin_is_a_line_of_its_own() -> None:
    upward = b"BT /F1 12 Tf 0 1 -1 0 30 5 Tm (Up the margin) Tj ET "
    level_line = b"BT /F1 12 Tf 50 50 Td (A level line of text.) Tj ET"
    (page,) = read(pdf_of([upward + level_line]), text_layer=TextLayer.PREFER)
    assert page.regions is not None
    up, level = page.regions
    assert (up.text, level.text) == ("Up the margin", "A level line of text.")
    (left, bottom), (_, top) = up.quad[:2].tolist()
    assert bottom > top and left < 40
    assert level.quad[1, 0] > level.quad[0, 0]


def test_text_beyond_a_crop_box_is_not_on_the_page() -> None:
    left, right = b"10 80 Td (Left page of a spread) Tj", b"210 80 Td (Right page of a spread) Tj"
    spread = b"BT /F1 10 Tf %b ET BT /F1 10 Tf %b ET" % (left, right)
    with pikepdf.open(io.BytesIO(pdf_of([spread] * 2, size_pt=(400, 100)))) as pdf:
        for number, page in enumerate(pdf.pages):
            page.cropbox = [200 * number, 0, 200 * number + 200, 100]
        stream = io.BytesIO()
        pdf.save(stream)
    pages = read(stream.getvalue(), text_layer=TextLayer.PREFER)
    assert [[region.text for region in page.regions or ()] for page in pages] == [
        ["Left page of a spread"],
        ["Right page of a spread"],
    ]
    for page in pages:
        assert page.regions is not None
        height, width = page.image.shape[:2]
        assert (page.regions[0].quad >= 0).all() and (page.regions[0].quad <= (width, height)).all()


@pytest.mark.parametrize("content", [RED_SQUARE, b"BT /F1 9 Tf 20 20 Td (page 1) Tj ET"])
def test_a_page_with_next_to_no_text_is_read_all_the_same(content: bytes) -> None:
    assert read(pdf_of([content]), text_layer=TextLayer.PREFER)[0].regions is None


def test_the_pixels_of_all_files_count_together_before_any_is_drawn() -> None:
    files = [SourceFile(pdf_of(size_pt=(900, 900))), SourceFile(pdf_of([b"", b""], size_pt=(900, 900)))]
    with pytest.raises(PayloadTooLarge, match="2 megapixels together"):
        open_document(files, BOUNDS, DocumentOptions(dpi=72))
    wanted = DocumentOptions(parse_ranges("1"), dpi=72)
    with open_document(files, BOUNDS, wanted) as document:
        assert document.page_count == 2


def test_pages_that_come_larger_than_they_were_announced_count_as_well() -> None:
    budget = PixelBudget(replace(BOUNDS, max_document_pixels=2000))
    budget.spend(np.zeros((20, 60, 3), np.uint8))
    with pytest.raises(PayloadTooLarge, match="together"):
        budget.spend(np.zeros((20, 60, 3), np.uint8))
