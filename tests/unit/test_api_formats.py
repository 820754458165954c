"""Formats and documents over the API."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import PIL.Image
import pytest
from lxml import etree

from serve_app.schemas import Answer
from tests.api_client import PNG, THREE_PAGES, assert_problem, serving, two_rows
from tests.pdfs import locked, pdf_of
from tests.pictures import encoded
from tests.readers import InkReader
from tests.unit.test_render_pdf import texts

# A black bar on a page of 100 x 50 points: 139 x 69 px at 100 dpi.
BAR = b"0 0 0 rg 10 20 70 10 re f"
TWO_PAGES = pdf_of([BAR, BAR + b" 10 35 70 10 re f"], size_pt=(100, 50))
DPI = "dpi=100"


@pytest.mark.parametrize(
    ("name", "media_type", "suffix"),
    [("text", "text/plain; charset=utf-8", "txt"), ("hocr", "text/vnd.hocr+html; charset=utf-8", "hocr"),
     ("alto", "application/alto+xml", "xml"), ("pdf", "application/pdf", "pdf"),
     ("csv", "text/csv; charset=utf-8", "csv"), ("png", "image/png", "png")],
)  # fmt: skip
async def test_a_format_by_parameter_and_by_accept(name: str, media_type: str, suffix: str) -> None:
    async with serving() as client:
        asked = await client.post(f"/ocr?format={name}", content=PNG)
        accepted = await client.post("/ocr", content=PNG, headers={"Accept": media_type.split(";")[0]})
    assert asked.status_code == accepted.status_code == 200
    assert asked.content == accepted.content
    assert asked.headers["content-type"] == accepted.headers["content-type"] == media_type
    assert asked.headers["content-disposition"] == f'inline; filename="reading.{suffix}"'
    assert asked.headers["vary"] == "Accept" and "total;dur=" in asked.headers["server-timing"]


async def test_what_the_formats_hold() -> None:
    async with serving() as client:
        hocr, alto, pdf, table, png = [
            (await client.post(f"/ocr?format={name}", content=PNG)).content
            for name in ("hocr", "alto", "pdf", "csv", "png")
        ]
    for document in (hocr, alto):
        assert len(etree.fromstring(document)) > 0
    assert b">row</span>" in hocr and b'CONTENT="row"' in alto
    assert texts(pdf)[0].split() == ["row", "1", "row", "2"]
    assert [row["text"] for row in csv.DictReader(io.StringIO(table.decode()))] == ["row 1", "row 2"]
    with PIL.Image.open(io.BytesIO(png)) as drawn:
        assert drawn.size == (200, 100)


async def test_no_format_that_is_accepted() -> None:
    reader = InkReader()
    async with serving(reader) as client:
        answer = await client.post("/ocr", content=PNG, headers={"Accept": "application/msword"})
        several = await client.post(
            "/ocr", content=PNG, headers=[("Accept", "video/mp4"), ("Accept", "text/csv")]
        )
    assert "application/json" in assert_problem(answer, 406, "not_acceptable").detail
    assert len(reader.calls) == 1 and several.headers["content-type"].startswith("text/csv")


async def test_one_page_formats_ask_for_a_page() -> None:
    async with serving() as client:
        problem = assert_problem(
            await client.post("/ocr?format=png", content=THREE_PAGES), 422, "invalid_parameter"
        )
        one = await client.post("/ocr?format=png&pages=2", content=THREE_PAGES)
    assert "'pages'" in problem.detail and one.status_code == 200


async def test_words_are_listed_where_they_are_asked_for() -> None:
    async with serving() as client:
        plain = (await client.post("/ocr", content=PNG)).json()
        answer = await client.post("/ocr?words=true", content=PNG)
    assert plain["pages"][0]["regions"][0]["words"] is None
    Answer.model_validate(answer.json())
    first, second = answer.json()["pages"][0]["regions"][0]["words"]
    assert (first["text"], second["text"], first["confidence"]) == ("row", "1", 0.75)
    assert first["bbox"] == {"x": 20.0, "y": 10.0, "width": 60.0, "height": 20.0}


async def test_regions_can_be_left_out() -> None:
    async with serving() as client:
        hand = (await client.post("/ocr?kind=handwritten", content=PNG)).json()
        sure = (await client.post("/ocr?min_confidence=0.76", content=PNG)).json()
        all_of_them = (await client.post("/ocr?min_confidence=0.75", content=PNG)).json()
    assert hand["pages"][0]["text"] == "row 2"
    assert [len(sure["pages"][0]["regions"]), len(all_of_them["pages"][0]["regions"])] == [0, 2]


@pytest.mark.parametrize("how", ["raw", "multipart", "encoded"])
async def test_a_pdf_is_read_however_it_is_sent(how: str) -> None:
    sent: dict[str, dict[str, Any]] = {
        "raw": {"content": TWO_PAGES, "headers": {"Content-Type": "application/pdf"}},
        "multipart": {"files": {"file": ("scan.pdf", TWO_PAGES, "application/pdf")}},
        "encoded": {"json": {"image": "data:application/pdf;base64," + base64.b64encode(TWO_PAGES).decode()}},
    }
    async with serving() as client:
        answer = await client.post(("/api/?" if how == "encoded" else "/ocr?") + DPI, **sent[how])
    pages = answer.json()["pages"]
    assert [(page["page"], page["text"], page["dpi"]) for page in pages] == [
        (1, "row 1", 100.0), (2, "row 1\nrow 2", 100.0)
    ]  # fmt: skip
    assert (pages[0]["width"], pages[0]["height"]) == (139, 69)


async def test_pages_of_a_pdf_can_be_chosen() -> None:
    async with serving() as client:
        chosen = await client.post(f"/ocr?pages=2&{DPI}", content=TWO_PAGES)
        missing = await client.post(f"/ocr?pages=7&{DPI}", content=TWO_PAGES)
    assert [page["page"] for page in chosen.json()["pages"]] == [2]
    assert "2 pages" in assert_problem(missing, 422, "invalid_parameter").detail


async def test_several_files_are_read_in_order() -> None:
    files = [("image", ("a.png", PNG)), ("file", ("dir/b.pdf", TWO_PAGES))]
    async with serving() as client:
        answer = await client.post(f"/ocr?{DPI}", files=files)
    assert [(page["file"], page["file_name"], page["page"]) for page in answer.json()["pages"]] == [
        (1, "a.png", 1), (2, "b.pdf", 1), (2, "b.pdf", 2)
    ]  # fmt: skip


async def test_pages_of_all_files_count_together() -> None:
    files = [("image", ("a.png", PNG)), ("image", ("b.tif", THREE_PAGES))]
    async with serving() as client:
        assert_problem(await client.post("/ocr", files=files), 413, "payload_too_large")


@pytest.mark.parametrize(
    ("data", "query", "status", "code"),
    [(locked("secret"), "", 422, "unreadable_document"), (pdf_of([]), "", 422, "unreadable_document"),
     (pdf_of([BAR] * 4), "", 413, "payload_too_large"), (pdf_of(), "dpi=600", 413, "payload_too_large"),
     (b"%PDF-1.7", "", 422, "unreadable_document")],
)  # fmt: skip
async def test_bad_pdfs(data: bytes, query: str, status: int, code: str) -> None:
    async with serving() as client:
        assert_problem(await client.post(f"/ocr?{query}", content=data), status, code)


async def test_the_text_layer_of_a_pdf_can_be_taken() -> None:
    typed = pdf_of([b"BT /F1 12 Tf 5 20 Td (Payment order 42 of May) Tj ET"], size_pt=(200, 50))
    async with serving() as client:
        read = await client.post(f"/ocr?{DPI}", content=typed)
        taken = await client.post(f"/ocr?{DPI}&text_layer=prefer", content=typed)
    assert read.json()["pages"][0]["text"] == "row 1"
    (region,) = taken.json()["pages"][0]["regions"]
    assert (region["text"], region["engine"]) == ("Payment order 42 of May", "text-layer")


async def test_options_reach_the_reader() -> None:
    reader = InkReader(engines={"recognition.printed": "crnn"})
    async with serving(reader) as client:
        await client.post("/ocr?layout=block&engine=crnn", content=PNG)
    (options,) = reader.calls
    assert (options.layout, options.engine) == ("block", "crnn")


async def test_a_searchable_pdf_can_be_read_again() -> None:
    grey = encoded(two_rows().convert("L"), "JPEG", dpi=(100, 100))
    async with serving() as client:
        made = await client.post("/ocr?format=pdf", content=grey)
        again = await client.post(f"/ocr?{DPI}", content=made.content)
    assert again.json()["pages"][0]["text"] == "row 1\nrow 2"
