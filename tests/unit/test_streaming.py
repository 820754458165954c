"""Answers page by page: JSON lines as the pages are read."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import PIL.Image
import pytest

from deployments.errors import DeadlineExceeded, Overloaded, StageFailed
from serve_app.api import create_api
from serve_app.observer import Unobserved
from serve_app.reading import timely
from serve_app.render.json import page_view
from serve_app.results import PageResult
from serve_app.stream_schemas import StreamLine
from tests.api_client import PNG, THREE_PAGES, Bounds, Config, assert_problem, serving
from tests.readers import InkReader
from tests.virtual_time import run_virtually

NDJSON = {"Accept": "application/x-ndjson"}


class Counting(Unobserved):
    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []

    def problem(self, code: str, told_in: str) -> None:
        self.problems.append((code, told_in))


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


async def test_lines_have_the_media_type_that_was_accepted() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=PNG, headers={"Accept": "application/jsonl"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jsonl")


async def test_what_fails_before_the_first_page_has_its_own_status() -> None:
    async with serving() as client:
        assert_problem(await client.post("/ocr", content=b"text", headers=NDJSON), 415, "unsupported_format")
    async with serving(InkReader(failure=Overloaded("Full.", retry_after_s=2))) as client:
        refused = await client.post("/ocr", content=PNG, headers=NDJSON)
    assert_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "2"


async def test_a_page_that_failed_stands_among_the_others() -> None:
    async with serving(InkReader(page_errors={1: StageFailed("Lost.")})) as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
    errors = [line["page"]["error"] for line in lines_of(answer)[1:-1]]
    assert [error and error["code"] for error in errors] == [None, "stage_failed", None]


async def test_lines_answer_200_also_where_every_page_failed() -> None:
    reader = InkReader(page_errors={page: StageFailed("Lost.") for page in range(3)})
    async with serving(reader) as client:
        lines = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
        whole = await client.post("/ocr", content=THREE_PAGES)
    assert lines.status_code == 200
    assert [line["page"]["error"]["code"] for line in lines_of(lines)[1:-1]] == ["stage_failed"] * 3
    assert_problem(whole, 500, "stage_failed")


@pytest.mark.parametrize(
    ("failure", "code"), [(Overloaded("Full."), "overloaded"), (RuntimeError("secret"), "internal")]
)
async def test_a_reading_that_breaks_off_ends_with_the_problem(failure: Exception, code: str) -> None:
    class Breaking(InkReader):
        async def stream(self, pages: Any, options: Any) -> Any:
            async for result in InkReader.stream(self, pages, options):
                yield result
                raise failure

    counted = Counting()
    app = create_api(Breaking(), Config(), observer=counted)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
    start, page, last = lines_of(answer)
    assert counted.problems == [(code, "stream")]
    assert start["start"]["page_count"] == 3 and page["page"]["page"] == 1
    assert last["problem"]["type"] == f"/problems/{code}"
    assert last["problem"]["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


async def test_what_fails_before_the_first_page_is_counted_once() -> None:
    counted = Counting()
    app = create_api(InkReader(failure=Overloaded("Full.")), Config(), observer=counted)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.post("/ocr", content=PNG, headers=NDJSON)
    assert_problem(answer, 503, "overloaded")
    assert counted.problems == [("overloaded", "answer")]


async def test_a_reading_that_breaks_off_says_when_to_come_back() -> None:
    class Breaking(InkReader):
        async def stream(self, pages: Any, options: Any) -> Any:
            async for result in InkReader.stream(self, pages, options):
                yield result
                raise Overloaded("Full.", retry_after_s=2.2)

    async with serving(Breaking()) as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers=NDJSON)
    assert lines_of(answer)[-1]["problem"]["retry_after_s"] == 3


async def test_lines_are_written_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def noting(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return page_view(*arguments)

    monkeypatch.setattr("serve_app.streaming.page_view", noting)
    async with serving() as client:
        answer = await client.post("/ocr?words=true", content=THREE_PAGES, headers=NDJSON)
    assert len(lines_of(answer)) == 5 and len(threads) == 3
    assert threading.current_thread() not in threads


def members(lines: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(name, value["page"]) for line in lines for name, value in line.items() if "page" in value]


async def test_pictures_of_pages_precede_what_was_read_on_them() -> None:
    async with serving() as client:
        answer = await client.post("/ocr?pictures=64", content=THREE_PAGES, headers=NDJSON)
    lines = lines_of(answer)
    told = members(lines)
    assert sorted(told) == [(name, page) for name in ("page", "picture") for page in (1, 2, 3)]
    assert all(told.index(("picture", page)) < told.index(("page", page)) for page in (1, 2, 3))
    for line in lines:
        if "picture" in line:
            head, _, content = line["picture"]["image"].partition(",")
            assert head == "data:image/jpeg;base64"
            with PIL.Image.open(io.BytesIO(base64.b64decode(content)), formats=["JPEG"]) as picture:
                assert picture.size == (64, 32)
                red, _, blue = picture.convert("RGB").getpixel((20, 22))
                assert blue > red + 100


async def test_a_picture_is_never_enlarged() -> None:
    async with serving() as client:
        answer = await client.post("/ocr?pictures=2400", content=PNG, headers=NDJSON)
    (picture,) = [line["picture"] for line in lines_of(answer) if "picture" in line]
    with PIL.Image.open(io.BytesIO(base64.b64decode(picture["image"].partition(",")[2]))) as image:
        assert image.size == (200, 100)


async def test_progress_tells_the_stages_that_a_page_enters() -> None:
    async with serving() as client:
        answer = await client.post("/ocr?progress=true&pages=2-3", content=THREE_PAGES, headers=NDJSON)
    lines = lines_of(answer)
    assert members(lines) == [("step", 2), ("page", 2), ("step", 3), ("page", 3)]
    assert lines[1]["step"] == {"file": 1, "page": 2, "stage": "detection"}


async def test_what_fails_once_progress_was_told_is_the_last_line() -> None:
    class Failing(InkReader):
        async def stream(self, pages: Any, options: Any) -> Any:
            async for _ in InkReader.stream(self, pages, options):
                raise Overloaded("Full.")
            yield

    async with serving(Failing()) as client:
        answer = await client.post("/ocr?progress=true", content=PNG, headers=NDJSON)
    assert [next(iter(line)) for line in lines_of(answer)] == ["start", "step", "problem"]


@pytest.mark.parametrize("query", ["pictures=63", "pictures=2401", "pictures=big", "progress=maybe"])
async def test_odd_wishes_for_progress_are_refused(query: str) -> None:
    async with serving() as client:
        assert_problem(await client.post(f"/ocr?{query}", content=PNG), 422, "invalid_parameter")


async def test_other_formats_carry_no_pictures() -> None:
    async with serving() as client:
        answer = await client.post("/ocr?pictures=64&progress=true", content=PNG)
    assert answer.json().keys() == {"request_id", "pages", "timings_ms", "engines"}


async def test_a_page_that_takes_too_long_is_a_problem() -> None:
    async with serving(InkReader(gate=asyncio.Event()), request_deadline_s=0.01) as client:
        answer = await client.post("/ocr", content=PNG, headers=NDJSON)
    assert_problem(answer, 504, "deadline_exceeded")


async def test_the_wait_for_a_turn_is_bounded_by_what_the_client_would_wait() -> None:
    reader = InkReader(gate=asyncio.Event())
    async with serving(reader, max_documents_in_work=1) as client:
        busy = asyncio.create_task(client.post("/ocr", content=PNG))
        await reader.started.wait()
        impatient = {**NDJSON, "Prefer": "wait=0"}
        answer = await asyncio.wait_for(client.post("/ocr", content=PNG, headers=impatient), 120)
        busy.cancel()
    assert "opened" in assert_problem(answer, 504, "deadline_exceeded").detail
    assert len(reader.calls) == 1


def test_what_came_before_the_first_page_counts_towards_its_deadline() -> None:
    async def results(*waits_s: float) -> AsyncGenerator[PageResult]:
        for index, wait_s in enumerate(waits_s):
            await asyncio.sleep(wait_s)
            yield PageResult(index, 8, 8)

    async def read(spent_s: float) -> list[int]:
        return [page.index async for page in timely(results(2, 9), 10, spent_s)]

    assert run_virtually(read(spent_s=7)) == [0, 1]
    with pytest.raises(DeadlineExceeded, match="10 s"):
        run_virtually(read(spent_s=9))


def posting() -> dict[str, Any]:
    """The scope of a request for lines."""
    return {
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

    await asyncio.wait_for(app(posting(), receive, send), 120)
    assert closed.is_set()
    assert sent[0]["status"] == 200
    assert sum(b'"page":{' in message.get("body", b"") for message in sent) == 1


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.streaming.MAX_SEND_S", 0.01)
    closed, sent = asyncio.Event(), list[str]()

    class Closing(InkReader):
        async def stream(self, pages: Any, options: Any) -> Any:
            try:
                async for result in InkReader.stream(self, pages, options):
                    yield result
            finally:
                closed.set()

    body = [{"type": "http.request", "body": THREE_PAGES, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not body:
            await asyncio.Event().wait()
        return body.pop()

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if len(sent) > 2:
            await asyncio.Event().wait()

    app = create_api(Closing(), Config(Bounds()))
    await asyncio.wait_for(app(posting(), receive, send), 120)
    assert closed.is_set() and sent == ["http.response.start", "http.response.body", "http.response.body"]
