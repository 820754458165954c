from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import PIL.Image
import pytest
from fastapi import FastAPI

from deployments.errors import Overloaded, StageFailed, StageUnavailable, UnreadableDocument
from serve_app.api import create_api
from serve_app.schemas import Answer, Problem
from tests.readers import InkReader


@dataclass(frozen=True)
class Bounds:
    max_body_bytes: int = 20_000
    max_pixels: int = 40_000
    max_side_px: int = 1000
    min_side_px: int = 8
    max_pages: int = 3
    max_document_pixels: int = 60_000
    request_deadline_s: float = 30.0
    max_concurrent_documents: int = 2


@dataclass(frozen=True)
class Config:
    limits: Bounds = field(default_factory=Bounds)


def two_rows() -> PIL.Image.Image:
    """A printed row over a row in blue ink."""
    page = PIL.Image.new("RGB", (200, 100), "white")
    page.paste("black", (20, 10, 120, 30))
    page.paste("blue", (20, 60, 180, 80))
    return page


def encoded(image: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


PNG = encoded(two_rows())
THREE_PAGES = encoded(
    two_rows(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[two_rows(), two_rows()]
)
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


def client_of(reader: InkReader, **limits: Any) -> httpx.AsyncClient:
    app = create_api(reader, Config(Bounds(**limits)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@contextlib.asynccontextmanager
async def serving(reader: InkReader | None = None, **limits: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(reader or InkReader(), **limits) as client:
        yield client


def assert_problem(answer: httpx.Response, status: int, code: str) -> Problem:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    problem = Problem.model_validate({k: v for k, v in answer.json().items() if k != "stages"})
    assert (problem.status, problem.type) == (status, f"/problems/{code}")
    assert problem.request_id == answer.headers["x-request-id"]
    return problem


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
    ((shapes, whole_line, deadline_s),) = reader.calls
    assert shapes == [(100, 200, 3)] and whole_line
    assert 0 < deadline_s <= 30


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


@pytest.mark.parametrize("query", ["layot=line", "layout=word", "format=pdf", "layout=line&layout=&x=1"])
async def test_unknown_or_bad_parameters_are_named(query: str) -> None:
    async with serving() as client:
        answer = await client.post(f"/ocr?{query}", content=PNG)
    problem = assert_problem(answer, 422, "invalid_parameter")
    name = "x" if "x=1" in query else query.split("=")[0]
    assert f"'{name}'" in problem.detail and "query" in problem.detail


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 400, "malformed_request"), (b"hello", 415, "unsupported_format"),
     (b"%PDF-1.4", 415, "unsupported_format"), (PNG[:150], 422, "unreadable_document"),
     (encoded(PIL.Image.new("L", (400, 101))), 413, "payload_too_large"),
     (encoded(PIL.Image.new("L", (4, 100))), 422, "unreadable_document")],
)  # fmt: skip
async def test_bad_documents(content: bytes, status: int, code: str) -> None:
    async with serving() as client:
        for answer in (
            await client.post("/ocr", content=content),
            await client.post("/ocr", files={"image": ("scan.png", content)}),
            await client.post("/api/", json={"image": "data:;base64," + base64.b64encode(content).decode()}),
        ):
            assert_problem(answer, status, code)
        assert (await client.post("/ocr", content=PNG)).status_code == 200


@pytest.mark.parametrize(
    "parts",
    [{"files": {"picture": ("a.png", PNG)}}, {"files": [("image", ("a", PNG)), ("file", ("b", PNG))]},
     {"files": {"image": (None, "text")}}, {"files": {"image": ("a", PNG), "layout": (None, "line")}},
     {"files": [("image", (f"{i}", b"x")) for i in range(9)]},
     {"content": b"--x\r\nnothing", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
     {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
     {"content": b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
      "headers": {"Content-Type": "multipart/form-data; boundary=x"}}],
)  # fmt: skip
async def test_multipart_without_one_document_is_malformed(parts: dict[str, Any]) -> None:
    async with serving() as client:
        assert_problem(await client.post("/ocr", **parts), 400, "malformed_request")


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "JSON"), (b"[]", "body"), (b"{}", "image"), (b'{"image": 5}', "image"),
     (json.dumps({"image": DATA_URL, "imgae": ""}).encode(), "imgae"),
     (b'{"image": "iVBORw0KGgo="}', "data URL"), (b'{"image": "data:image/png,abc"}', "data URL"),
     (b'{"image": "data:image/png;base64,???"}', "base64"), (b"\xff\xfe{", "body")],
)  # fmt: skip
async def test_bad_json_is_malformed_and_named(body: bytes, reason: str) -> None:
    async with serving() as client:
        problem = assert_problem(await client.post("/api/", content=body), 400, "malformed_request")
    assert reason in problem.detail


class Chunks(httpx.AsyncByteStream):
    """An endless upload that counts what was taken from it."""

    taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1000
            yield b"\x89" * 1000


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "multipart/form-data; boundary=x", "application/json"]
)
async def test_an_endless_body_is_refused_while_it_arrives(content_type: str) -> None:
    upload = Chunks()
    path = "/api/" if "json" in content_type else "/ocr"
    async with serving() as client:
        answer = await client.post(path, content=upload, headers={"Content-Type": content_type})
    if "multipart" in content_type:
        assert answer.status_code in (400, 413)
    else:
        assert_problem(answer, 413, "payload_too_large")
    assert upload.taken <= 22_000


async def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    upload = Chunks()
    async with serving() as client:
        answer = await client.post("/ocr", content=upload, headers={"Content-Length": "20001"})
    assert "20000 bytes" in assert_problem(answer, 413, "payload_too_large").detail
    assert upload.taken == 0


async def test_a_multipart_file_over_the_limit() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(30):
            yield b"1" * 1000

    async with serving() as client:
        answer = await client.post(
            "/ocr", content=parts(), headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
    assert_problem(answer, 413, "payload_too_large")


async def test_a_body_at_the_limit_is_read() -> None:
    async with serving(max_body_bytes=len(PNG)) as client:
        assert (await client.post("/ocr", content=PNG)).status_code == 200


@pytest.mark.parametrize("sent", ["abc-123", "req:7/x+y=@z._~"[:-1], "x" * 128])
async def test_a_plain_request_id_is_kept(sent: str) -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=PNG, headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == sent == answer.json()["request_id"]


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "<script>", "ü".encode()])
async def test_other_request_ids_are_replaced(sent: str | bytes) -> None:
    async with serving() as client:
        answer = await client.get("/healthz", headers={"X-Request-ID": sent})
    assert uuid.UUID(answer.headers["x-request-id"]).version == 4


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("GET", "/ocr", 405, "method_not_allowed"),
     ("GET", "/problems/none", 404, "not_found"), ("GET", "/static/none.js", 404, "not_found"),
     ("GET", "/static/../index.html", 404, "not_found"),
     ("POST", "/static/app.js", 405, "method_not_allowed")],
)  # fmt: skip
async def test_wrong_paths_and_methods_are_problems(method: str, path: str, status: int, code: str) -> None:
    async with serving() as client:
        assert_problem(await client.request(method, path), status, code)


async def test_the_allowed_methods_are_named() -> None:
    async with serving() as client:
        assert (await client.get("/ocr")).headers["allow"] == "POST"


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


async def test_the_deadline_is_held_and_the_reading_withdrawn() -> None:
    reader = InkReader(gate=asyncio.Event())
    async with serving(reader, request_deadline_s=0.02) as client:
        assert_problem(await client.post("/ocr", content=PNG), 504, "deadline_exceeded")
    # On a busy machine the deadline may pass before the reader is asked.
    assert reader.cancelled == len(reader.calls)


async def test_a_client_that_leaves_withdraws_its_reading() -> None:
    reader = InkReader(gate=asyncio.Event())
    app = create_api(reader, Config())
    messages = iter([{"type": "http.request", "body": PNG, "more_body": False}])
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        with contextlib.suppress(StopIteration):
            return next(messages)
        await reader.started.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(app(post_scope(app), receive, send), 5)
    assert reader.cancelled == 1
    assert sent[0]["status"] == 499


async def test_cancelling_the_request_withdraws_its_reading() -> None:
    reader = InkReader(gate=asyncio.Event())
    async with serving(reader) as client:
        request = asyncio.create_task(client.post("/ocr", content=PNG))
        await asyncio.wait_for(reader.started.wait(), 5)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert reader.cancelled == 1


async def test_a_client_that_leaves_while_sending_is_not_read() -> None:
    reader = InkReader()
    app = create_api(reader, Config())
    messages = iter([{"type": "http.request", "body": PNG, "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    await app(post_scope(app), receive, send)
    assert reader.calls == []


def post_scope(app: FastAPI) -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/ocr", "raw_path": b"/ocr", "root_path": "", "query_string": b"", "headers": [],
        "server": ("service", 80), "client": ("client", 1), "app": app,
    }  # fmt: skip


async def test_requests_are_read_side_by_side() -> None:
    reader = InkReader(gate=asyncio.Event())
    async with serving(reader) as client, asyncio.timeout(10):
        requests = [asyncio.create_task(client.post("/ocr", content=PNG)) for _ in range(5)]
        while len(reader.calls) < 5:
            await asyncio.sleep(0)
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        assert reader.gate is not None
        reader.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*requests)] == [200] * 5


async def test_ready_when_every_stage_is_warm() -> None:
    async with serving() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


@pytest.mark.parametrize("stages", [{"detection": True, "recognition.crnn": False}, {}])
async def test_not_ready_names_the_cold_stages(stages: dict[str, bool]) -> None:
    async with serving(InkReader(stages=stages)) as client:
        answer = await client.get("/readyz")
    problem = assert_problem(answer, 503, "not_ready")
    assert answer.json()["stages"] == stages
    assert all(name in problem.detail for name, warm in stages.items() if not warm)
    assert answer.headers["retry-after"] == "1"


async def test_the_type_of_a_problem_can_be_looked_up() -> None:
    async with serving() as client:
        kind = (await client.get("/problems/overloaded")).json()
    assert kind == {"code": "overloaded", "title": Overloaded.title, "status": 503, "retry": True}


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_load_nothing_from_elsewhere(path: str) -> None:
    async with serving() as client:
        page = await client.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "//" not in page.text.replace("<!doctype", "")
        for asset in [part.split('"')[0] for part in page.text.replace('href="', 'src="').split('src="')[1:]]:
            if asset.endswith((".js", ".css", ".png", ".svg", ".jpg")):
                assert (await client.get(f"/{asset}")).status_code == 200, asset


@pytest.mark.parametrize("path", ["/", "/docs", "/static/app.js"])
async def test_pages_answer_head_and_are_asked_for_again(path: str) -> None:
    async with serving() as client:
        answer = await client.head(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


async def test_every_answer_forbids_content_sniffing() -> None:
    async with serving() as client:
        for path in ("/", "/healthz", "/nowhere"):
            assert (await client.get(path)).headers["x-content-type-options"] == "nosniff"
