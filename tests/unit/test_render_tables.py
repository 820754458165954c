"""CSV and PNG."""

from __future__ import annotations

import csv
import io

import numpy as np
import PIL.Image
import pytest

from serve_app.render import csv as csv_format
from serve_app.render import png
from tests.documents import LINES, SIZE_PX, document_of, failed_page, image, page_of_lines


def rows() -> list[dict[str, str]]:
    data = csv_format.render(document_of(page_of_lines(), failed_page()))
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_has_a_row_for_every_region_under_one_header() -> None:
    assert tuple(rows()[0]) == csv_format.COLUMNS
    assert [row["text"] for row in rows()] == [*(text for text, _, _ in LINES), "", ""]
    assert [(row["page"], row["region"]) for row in rows()] == [
        ("1", "1"), ("1", "2"), ("1", "3"), ("1", "4"), ("2", "")
    ]  # fmt: skip


def test_csv_rows_hold_what_json_regions_hold() -> None:
    first = rows()[0]
    assert (first["kind"], first["kind_confidence"], first["confidence"]) == ("printed", "0.875", "0.75")
    assert [first[key] for key in ("x", "y", "width", "height")] == ["40.0", "40.0", "360.0", "26.0"]
    assert [first[key] for key in ("x3", "y3")] == ["400.0", "66.0"]
    assert (first["file"], first["file_name"], first["engine"]) == ("1", 'счёт "7".png', "crnn")


def test_csv_says_what_failed() -> None:
    assert [row["error"] for row in rows()] == ["", "", "", "stage_failed", "stage_failed"]


def test_png_shows_the_page_with_its_regions_in_two_colours() -> None:
    with PIL.Image.open(io.BytesIO(png.render(page_of_lines(), image()))) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", SIZE_PX)
        pixels = np.asarray(drawn.convert("RGB"))
    for _, (x, y, width, height), kind in LINES:
        for corner_x, corner_y in ((x, y), (x + width, y + height)):
            assert tuple(pixels[corner_y, corner_x]) == png.COLOURS[kind]
    assert tuple(pixels[300, 160]) == png.COLOURS[None]
    assert tuple(pixels[390, 590]) == pytest.approx((255, 255, 255), abs=4)


def test_png_numbers_stand_beside_their_lines() -> None:
    with PIL.Image.open(io.BytesIO(png.render(page_of_lines(), image()))) as drawn:
        left_of_first = np.asarray(drawn.convert("RGB"))[40:66, :38]
    assert left_of_first[:, :, 0].min() < 60
