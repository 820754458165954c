from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from deployments.errors import Overloaded
from serve_app.api import create_api
from serve_app.observer import Unobserved
from tests.api_client import PNG, Config, assert_problem, serving, untouchable
from tests.readers import InkReader


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


@pytest.mark.parametrize("path", ["/ocr", "/api/"])
async def test_what_cannot_be_had_is_refused_while_the_body_is_unread(path: str) -> None:
    async with serving(InkReader(engines={"detection": "ink", "recognition.printed": "crnn"})) as client:
        unacceptable = await client.post(path, content=untouchable(), headers={"Accept": "audio/mpeg"})
        assert_problem(unacceptable, 406, "not_acceptable")
        for engine in ("trocr", "ink"):
            unknown = await client.post(f"{path}?engine={engine}", content=untouchable())
            problem = assert_problem(unknown, 422, "invalid_parameter")
            assert problem.detail == "engine: this service reads with crnn."


async def test_the_allowed_methods_are_named() -> None:
    async with serving() as client:
        assert (await client.get("/ocr")).headers["allow"] == "POST"


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

    await asyncio.wait_for(app(post_scope(app), receive, send), 120)
    assert reader.cancelled == 1
    assert sent[0]["status"] == 499


async def test_cancelling_the_request_withdraws_its_reading() -> None:
    reader = InkReader(gate=asyncio.Event())
    async with serving(reader) as client:
        request = asyncio.create_task(client.post("/ocr", content=PNG))
        await asyncio.wait_for(reader.started.wait(), 120)
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
    async with serving(reader) as client, asyncio.timeout(120):
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


class FailingReader(InkReader):
    async def readiness(self) -> dict[str, bool]:
        raise ZeroDivisionError


class Told(Unobserved):
    """Remembers the codes of problems."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def problem(self, code: str, told_in: str) -> None:
        self.codes.append(code)


def client_of(reader: InkReader, observer: Unobserved) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_api(reader, Config(), observer=observer))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


async def test_every_problem_is_told_by_its_code() -> None:
    told = Told()
    async with client_of(FailingReader(), told) as client:
        await client.post("/ocr", content=b"not an image at all")
        await client.post("/ocr", content=PNG, params={"colour": "red"})
        await client.get("/nowhere")
        await client.get("/readyz")
        await client.get("/healthz")
    assert told.codes == ["unsupported_format", "invalid_parameter", "not_found", "internal"]


async def test_a_service_that_is_not_ready_tells_so() -> None:
    """What HAProxy counts as 5xx and nobody told would pass for an error of the edge."""
    told = Told()
    async with client_of(InkReader(stages={"detection": False}), told) as client:
        await client.get("/readyz")
    assert told.codes == ["not_ready"]
