from __future__ import annotations

import logging

import pytest

from deployments.errors import Overloaded, StageFailed, StageUnavailable, UnreadableDocument
from serve_app.reader import ReadOptions
from serve_app.schemas import Answer, Layout
from tests.api_client import DATA_URL, PNG, THREE_PAGES, assert_problem, serving, two_rows
from tests.pictures import encoded
from tests.readers import InkReader


async def test_a_raw_body_is_read() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=PNG, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 200
    body = Answer.model_validate(answer.json())
    (page,) = body.pages
    assert (page.page, page.width, page.height, page.text) == (1, 200, 100, "row 1\nrow 2")
    assert [region.kind for region in page.regions] == ["printed", "handwritten"]
    first = answer.json()["pages"][0]["regions"][0]
    assert first["bbox"] == {"x": 20.0, "y": 10.0, "width": 100.0, "height": 20.0}
    assert first["polygon"] == [[20.0, 10.0], [120.0, 10.0], [120.0, 30.0], [20.0, 30.0]]
    assert (first["confidence"], first["kind_confidence"], first["detection_confidence"]) == (
        0.75,
        0.875,
        0.9,
    )
    assert body.request_id == answer.headers["x-request-id"]
    assert body.engines == {"detection": "ink"}


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "application/x-www-form-urlencoded", "text/plain", None]
)
async def test_the_content_type_of_a_raw_body_does_not_matter(content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    async with serving() as client:
        assert (await client.post("/ocr", content=PNG, headers=headers)).status_code == 200


@pytest.mark.parametrize("name", ["image", "file"])
async def test_a_multipart_file_is_read(name: str) -> None:
    async with serving() as client:
        answer = await client.post("/ocr", files={name: ("scan.pdf", PNG, "application/pdf")})
    assert answer.json()["pages"][0]["text"] == "row 1\nrow 2"


async def test_a_data_url_is_read_as_an_upload_is() -> None:
    async with serving() as client:
        uploaded = (await client.post("/ocr", content=PNG)).json()
        sent = (await client.post("/api/", json={"image": DATA_URL})).json()
    assert sent["pages"] == uploaded["pages"]


async def test_pages_of_a_tiff_are_numbered_from_one() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=THREE_PAGES)
    assert [page["page"] for page in answer.json()["pages"]] == [1, 2, 3]


async def test_layout_line_reads_the_image_as_one_line() -> None:
    reader = InkReader()
    async with serving(reader) as client:
        answer = await client.post("/ocr?layout=line", content=PNG)
    assert len(answer.json()["pages"][0]["regions"]) == 1
    assert reader.shapes == [(100, 200, 3)] and reader.calls == [ReadOptions(Layout.LINE)]


async def test_format_text_answers_the_text_alone() -> None:
    async with serving() as client:
        answer = await client.post("/ocr?format=text", content=THREE_PAGES)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "\n\f".join(["row 1\nrow 2"] * 3) + "\n"


async def test_timings_are_in_the_body_and_in_server_timing() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=PNG)
    timings_ms = answer.json()["timings_ms"]
    assert list(timings_ms) == ["decode", "detection", "total"]
    assert timings_ms["total"] >= timings_ms["decode"] > 0
    assert [part.split(";dur=")[0] for part in answer.headers["server-timing"].split(", ")] == list(
        timings_ms
    )


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [(Overloaded("Busy.", retry_after_s=2.4), 503, "3"), (StageUnavailable(retry_after_s=0.1), 503, "1"),
     (StageFailed("Lost."), 500, None)],
)  # fmt: skip
async def test_failures_of_the_stages_are_problems(
    failure: StageFailed, status: int, retry_after: str | None
) -> None:
    async with serving(InkReader(failure=failure)) as client:
        answer = await client.post("/ocr", content=PNG)
    assert assert_problem(answer, status, failure.code).detail == failure.public
    assert answer.headers.get("retry-after") == retry_after


async def test_an_unexpected_exception_is_logged_and_tells_the_client_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(InkReader(failure=RuntimeError("/secret/path"))) as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.post("/ocr", content=PNG, headers={"X-Request-ID": "trace-me"})
    assert_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    (record,) = caplog.records
    assert "trace-me" in record.getMessage() and record.exc_info is not None


async def test_a_failed_region_stands_beside_the_others() -> None:
    async with serving(InkReader(region_errors={0: StageFailed("No text.")})) as client:
        answer = await client.post("/ocr", content=PNG)
    bad, good = answer.json()["pages"][0]["regions"]
    assert (bad["text"], bad["error"]) == (None, {"code": "stage_failed", "detail": "No text."})
    assert (good["text"], good["error"]) == ("row 2", None)


async def test_a_failed_page_stands_beside_the_others() -> None:
    reader = InkReader(page_errors={1: UnreadableDocument("Blank.")})
    async with serving(reader) as client:
        pages = (await client.post("/ocr", content=THREE_PAGES)).json()["pages"]
        text = (await client.post("/ocr?format=text", content=THREE_PAGES)).text
    assert [page["text"] is None for page in pages] == [False, True, False]
    assert pages[1]["error"] == {"code": "unreadable_document", "detail": "Blank."}
    assert text.split("\f")[1] == "\n"


async def test_when_every_page_failed_the_request_fails_as_the_first_did() -> None:
    reader = InkReader(page_errors={0: StageFailed("First."), 1: Overloaded("Second.")})
    two = encoded(two_rows(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[two_rows()])
    async with serving(reader) as client:
        answer = await client.post("/ocr", content=two)
    assert assert_problem(answer, 500, "stage_failed").detail == "First."
