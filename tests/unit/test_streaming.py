"""Answers page by page: JSON lines as the pages are read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from deployments.errors import Overloaded, StageFailed
from serve_app.api import create_api
from serve_app.schemas import StreamLine
from tests.api_client import PNG, THREE_PAGES, Bounds, Config, assert_problem, serving
from tests.readers import InkReader

NDJSON = {"Accept": "application/x-ndjson"}


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    for line in lines:
        StreamLine.model_validate(line)
        assert len(line) == 1
    return lines


async def test_pages_come_as_lines_between_start_and_end() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
        whole = (await client.post("/ocr", content=THREE_PAGES)).json()
    start, *pages, end = lines_of(answer)
    assert start["start"] == {
        "request_id": answer.headers["x-request-id"],
        "page_count": 3,
        "engines": {"detection": "ink"},
    }
    assert [line["page"] for line in pages] == whole["pages"]
    assert end["end"]["page_count"] == 3
    assert end["end"]["timings_ms"].keys() == {"decode", "detection", "total"}


async def test_the_format_parameter_asks_for_lines_too() -> None:
    async with serving() as client:
        answer = await client.post("/ocr?format=ndjson&pages=2", content=THREE_PAGES)
    assert [line["page"]["page"] for line in lines_of(answer)[1:-1]] == [2]


async def test_what_fails_before_the_first_page_has_its_own_status() -> None:
    async with serving() as client:
        assert_problem(
            await client.post("/ocr", content=b"text", headers=NDJSON), 415, "unsupported_format"
        )
    async with serving(InkReader(failure=Overloaded("Full.", retry_after_s=2))) as client:
        refused = await client.post("/ocr", content=PNG, headers=NDJSON)
    assert_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "2"


async def test_a_page_that_failed_stands_among_the_others() -> None:
    async with serving(InkReader(page_errors={1: StageFailed("Lost.")})) as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
    errors = [line["page"]["error"] for line in lines_of(answer)[1:-1]]
    assert [error and error["code"] for error in errors] == [None, "stage_failed", None]


@pytest.mark.parametrize(
    ("failure", "code"), [(Overloaded("Full."), "overloaded"), (RuntimeError("secret"), "internal")]
)
async def test_a_reading_that_breaks_off_ends_with_the_problem(failure: Exception, code: str) -> None:
    class Breaking(InkReader):
        async def stream(self, pages: Any, options: Any) -> Any:
            async for result in InkReader.stream(self, pages, options):
                yield result
                raise failure

    async with serving(Breaking()) as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
    start, page, last = lines_of(answer)
    assert start["start"]["page_count"] == 3 and page["page"]["page"] == 1
    assert last["problem"]["type"] == f"/problems/{code}"
    assert last["problem"]["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


async def test_a_page_that_takes_too_long_is_a_problem() -> None:
    async with serving(InkReader(gate=asyncio.Event()), request_deadline_s=0.01) as client:
        answer = await client.post("/ocr", content=PNG, headers=NDJSON)
    assert_problem(answer, 504, "deadline_exceeded")


async def test_pages_are_sent_before_the_last_is_read_and_a_lost_client_ends_the_work() -> None:
    """The second page waits at a gate; the client leaves after the first."""
    closed = asyncio.Event()

    class Waiting(InkReader):
        async def stream(self, pages: Any, options: Any) -> Any:
            try:
                async for result in InkReader.stream(self, pages, options):
                    yield result
                    if result.index == 0:
                        await asyncio.Event().wait()
            finally:
                closed.set()

    app = create_api(Waiting(), Config(Bounds()))
    sent: list[dict[str, Any]] = []
    first_page = asyncio.Event()
    body = [{"type": "http.request", "body": THREE_PAGES, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if body:
            return body.pop()
        await first_page.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if b'"page":{' in message.get("body", b""):
            first_page.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/ocr",
        "raw_path": b"/ocr",
        "query_string": b"format=ndjson",
        "headers": [(b"host", b"service")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    await asyncio.wait_for(app(scope, receive, send), 5)
    assert closed.is_set()
    assert sent[0]["status"] == 200
    assert sum(b'"page":{' in message.get("body", b"") for message in sent) == 1
