"""Bodies that come too slowly or not to their end; their size is tested with the uploads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serve_app.api import create_api
from serve_app.faults import install_handlers
from serve_app.middleware.stack import install_middleware
from tests.api_client import PNG, Bounds, Config, assert_problem, serving
from tests.readers import InkReader


def scope_of(path: str, content_type: str) -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"content-type", content_type.encode())], "scheme": "http", "http_version": "1.1",
        "server": ("service", 80), "client": ("client", 1), "root_path": "",
    }  # fmt: skip


class Upload:
    """The client's side of one request: pieces of a body, and then silence."""

    def __init__(self, *pieces: bytes, complete: bool = False, endless: bool = False) -> None:
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        if complete:
            self._messages[-1]["more_body"] = False
        self._endless = endless
        self.sent: list[dict[str, Any]] = []
        self.taken = 0

    async def receive(self) -> dict[str, Any]:
        self.taken += 1
        if self._endless:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": b"", "more_body": True}
        if self._messages:
            return self._messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def post(self, path: str, content_type: str = "image/png", **limits: Any) -> None:
        app = create_api(InkReader(), Config(Bounds(**limits)))
        await asyncio.wait_for(app(scope_of(path, content_type), self.receive, self.send), 120)

    def answer(self) -> tuple[int, str, dict[bytes, bytes]]:
        start, body = self.sent
        return start["status"], json.loads(body["body"])["type"], dict(start["headers"])


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/ocr", "image/png"), ("/ocr", "multipart/form-data; boundary=x"), ("/api/", "application/json")],
)
async def test_a_body_that_pauses_too_long_is_given_up(path: str, content_type: str) -> None:
    upload = Upload(b"--x\r\n")
    await upload.post(path, content_type, max_body_idle_s=0.01)
    status, kind, headers = upload.answer()
    assert (status, kind) == (408, "/problems/slow_body")
    assert headers[b"connection"] == b"close"


async def test_bodies_that_are_held_have_a_bound_together() -> None:
    """Room for one and a half: the second is refused while the first is read, and read afterwards."""
    reader = InkReader(gate=asyncio.Event())
    assert reader.gate is not None
    async with serving(reader, max_bodies_bytes=len(PNG) * 3 // 2) as client:
        first = asyncio.ensure_future(client.post("/ocr", content=PNG))
        await reader.started.wait()
        refused = await client.post("/ocr", content=PNG)
        assert_problem(refused, 503, "overloaded")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("5", "close")
        reader.gate.set()
        assert (await first).status_code == 200
        assert (await client.post("/ocr", content=PNG)).status_code == 200


async def test_the_room_of_a_body_that_was_given_up_is_free_again() -> None:
    async with serving(max_bodies_bytes=len(PNG) + 10, max_body_bytes=len(PNG)) as client:
        for _ in range(3):
            assert_problem(await client.post("/ocr", content=_pieces(PNG + b"x")), 413, "payload_too_large")
        assert (await client.post("/ocr", content=_pieces(PNG))).status_code == 200


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    """A body whose length nobody declares."""
    for start in range(0, len(data), 50):
        yield data[start : start + 50]


async def test_a_body_that_never_ends_is_given_up_however_busily_it_comes() -> None:
    upload = Upload(endless=True)
    await upload.post("/ocr", max_body_s=0.02, max_body_idle_s=10.0)
    assert upload.answer()[:2] == (408, "/problems/slow_body")
    assert upload.taken > 1


async def test_the_time_of_the_reading_is_not_the_body_s() -> None:
    """Once the body is there its limits are over, though the request goes on listening for a farewell."""
    gate = asyncio.Event()
    reader = InkReader(gate=gate)
    upload = Upload(PNG, complete=True)
    app = create_api(reader, Config(Bounds(max_body_s=0.01, max_body_idle_s=0.01)))
    asyncio.get_running_loop().call_later(0.03, gate.set)
    await asyncio.wait_for(app(scope_of("/ocr", "image/png"), upload.receive, upload.send), 120)
    assert upload.sent[0]["status"] == 200


async def test_a_body_over_the_limit_ends_its_connection() -> None:
    upload = Upload(b"x" * 30_000)
    await upload.post("/ocr")
    status, kind, headers = upload.answer()
    assert (status, kind, headers[b"connection"]) == (413, "/problems/payload_too_large", b"close")


async def test_a_body_that_was_read_leaves_the_connection_open() -> None:
    upload = Upload(b"text", complete=True)
    await upload.post("/ocr")
    status, _, headers = upload.answer()
    assert status == 415 and b"connection" not in headers


@pytest.mark.parametrize(("path", "status"), [("/ocr", 413), ("/large", 404), ("/below/large", 404)])
async def test_some_paths_take_larger_bodies(path: str, status: int) -> None:
    app = FastAPI()
    install_middleware(app, Config(), echo_request_id=True, max_bytes_at={"/large": 30_000})
    install_handlers(app, lambda code, told_in: None)
    transport = httpx.ASGITransport(app, root_path="/below" if path.startswith("/below") else "")
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert (await client.post(path, content=b"x" * 25_000)).status_code == status
        assert (await client.post(path, content=b"x" * 30_001)).status_code == 413


@pytest.mark.parametrize("flood", [{"X-Many": "1" * 5000}, {f"X-{i}": "1" * 40 for i in range(200)}])
async def test_a_flood_of_headers_is_refused(flood: dict[str, str]) -> None:
    async with serving() as client:
        for method, path in (("GET", "/healthz"), ("POST", "/ocr"), ("GET", "/nowhere")):
            assert_problem(await client.request(method, path, headers=flood), 431, "head_too_large")
        assert_problem(await client.get("/healthz?x=" + "1" * 5000), 431, "head_too_large")
        assert (await client.get("/healthz", headers={"X-Few": "1" * 4000})).status_code == 200
