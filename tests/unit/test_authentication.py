"""The API behind keys: who is let in, what stays open, and what never reaches a log."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from serve_app.api import create_api
from serve_app.keys import entry, new_key
from serve_app.middleware.authentication import is_open
from serve_app.middleware.config import Access, KeySource
from serve_app.observer import Unobserved
from tests.api_client import PNG, Config, assert_problem
from tests.readers import InkReader

KEY = new_key()


@pytest.fixture
def access(tmp_path: Path) -> Access:
    (tmp_path / "keys").write_text(entry("alice", KEY))
    return Access(keys=KeySource(file=str(tmp_path / "keys")))


def service_of(access: Access, reader: InkReader | None = None, root_path: str = "") -> httpx.AsyncClient:
    app = create_api(reader or InkReader(), Config(access=access))
    transport = httpx.ASGITransport(app, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer  {KEY} "}, {"X-API-Key": KEY},
     {"Authorization": "Basic YTpi", "X-API-Key": KEY}],
)  # fmt: skip
async def test_a_known_key_is_let_in(access: Access, headers: dict[str, str]) -> None:
    async with service_of(access) as client:
        assert (await client.post("/ocr", content=PNG, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {new_key()}"}, {"X-API-Key": "x"}, {"X-API-Key": f"{KEY}, {KEY}"},
     {"Authorization": f"Bearer {new_key()}", "X-API-Key": KEY}],
)  # fmt: skip
async def test_an_unknown_key_is_not(access: Access, headers: dict[str, str]) -> None:
    reader = InkReader()
    async with service_of(access, reader) as client:
        answer = await client.post("/ocr", content=PNG, headers=headers)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="scriptorium", error="invalid_token"'
    assert reader.calls == []


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {KEY}"}]
)
async def test_without_a_key_the_answer_says_how_to_send_one(access: Access, headers: dict[str, str]) -> None:
    async with service_of(access) as client:
        answer = await client.post("/ocr", content=PNG, headers=headers)
        in_query = await client.post(f"/ocr?key={KEY}", content=PNG)
    problem = assert_problem(answer, 401, "unauthorized")
    assert "X-API-Key" in problem.detail
    assert answer.headers["www-authenticate"] == 'Bearer realm="scriptorium"'
    assert in_query.status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/healthz", "/readyz", "/problems/unauthorized", "/static/app.js"],
)
async def test_pages_and_probes_are_open(access: Access, path: str) -> None:
    async with service_of(access) as client:
        assert (await client.get(path)).status_code == 200


async def test_everything_else_is_closed_and_tells_not_what_is_there(access: Access) -> None:
    async with service_of(access) as client:
        for method, path in [("GET", "/ocr"), ("GET", "/nowhere"), ("POST", "/api/"), ("GET", "/statics")]:
            assert_problem(await client.request(method, path), 401, "unauthorized")
        assert (await client.get("/static/../ocr")).status_code in (401, 404)


def test_every_route_that_takes_work_is_closed() -> None:
    app = create_api(InkReader(), Config())
    closed = {route.path for route in _routes(app.routes) if not is_open(route.path)}
    assert {"/ocr", "/api/"} <= closed
    assert not [route for route in _routes(app.routes) if is_open(route.path) and "POST" in route.methods]


def _routes(routes: list[BaseRoute]) -> list[APIRoute]:
    return [route for route in routes if isinstance(route, APIRoute)]


async def test_paths_are_told_below_the_prefix_of_the_application(access: Access) -> None:
    async with service_of(access, root_path="/scans") as client:
        assert (await client.get("/scans/healthz")).status_code == 200
        assert (await client.post("/scans/ocr", content=PNG)).status_code == 401
        answer = await client.post("/scans/ocr", content=PNG, headers={"X-API-Key": KEY})
        assert answer.status_code == 200


@pytest.mark.parametrize("failure", [None, RuntimeError("broken")])
async def test_keys_are_never_logged(
    access: Access, caplog: pytest.LogCaptureFixture, failure: Exception | None
) -> None:
    unknown = new_key()
    with caplog.at_level(logging.DEBUG):
        async with service_of(access, InkReader(failure=failure)) as client:
            for key in (KEY, unknown):
                for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
                    answer = await client.post("/ocr", content=PNG, headers=headers)
                    assert KEY not in answer.text and unknown not in answer.text
    assert "refused, unknown key" in caplog.text
    everything = "\n".join(f"{caplog.handler.format(record)} {record.__dict__}" for record in caplog.records)
    assert KEY not in everything and unknown not in everything


def test_a_service_whose_keys_cannot_be_read_does_not_start(tmp_path: Path) -> None:
    access = Access(keys=KeySource(file=str(tmp_path / "none")))
    with pytest.raises(ValueError, match="No such file"):
        create_api(InkReader(), Config(access=access))


async def test_refusals_are_counted_by_code(access: Access) -> None:
    codes: list[str] = []

    class Told(Unobserved):
        def problem(self, code: str, told_in: str) -> None:
            codes.append(code)

    app = create_api(InkReader(), Config(access=access), observer=Told())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        await client.post("/ocr", content=PNG)
        await client.post("/ocr", content=b"x" * 30_000, headers={"X-API-Key": KEY})
    assert codes == ["unauthorized", "payload_too_large"]
