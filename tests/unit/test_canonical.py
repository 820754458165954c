from __future__ import annotations

import gzip
import json

import httpx
import pytest

from serve_app.api import create_api
from tests.api_client import PNG, Config, assert_problem, serving
from tests.readers import InkReader


@pytest.mark.parametrize("path", ["/ocr", "/ocr/"])
async def test_a_slash_at_the_end_makes_no_difference(path: str) -> None:
    async with serving() as client:
        answer = await client.post(path, content=PNG)
    assert answer.status_code == 200 and answer.json()["pages"][0]["text"] == "row 1\nrow 2"


@pytest.mark.parametrize("path", ["/api", "/api/"])
async def test_nor_does_one_that_is_missing(path: str) -> None:
    async with serving() as client:
        assert_problem(await client.post(path, content=b"{}"), 400, "malformed_request")


async def test_only_one_slash_is_passed_over() -> None:
    async with serving() as client:
        assert_problem(await client.post("/ocr//", content=PNG), 404, "not_found")


async def test_below_a_prefix_too() -> None:
    transport = httpx.ASGITransport(create_api(InkReader(), Config()), root_path="/reading")
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert (await client.get("/reading/healthz/")).status_code == 200
        assert_problem(await client.post("/reading/api", content=b"{}"), 400, "malformed_request")
        assert (await client.get("/reading/")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/openapi.json", "/docs", "/static/app.js"])
async def test_head_answers_what_get_does_without_its_body(path: str) -> None:
    async with serving() as client:
        get, head = await client.get(path), await client.head(path)
    assert get.content and head.content == b""
    assert (head.status_code, head.headers["content-type"]) == (200, get.headers["content-type"])
    assert head.headers["content-length"] == str(len(get.content))


async def test_head_is_named_where_get_is() -> None:
    async with serving() as client:
        assert (await client.post("/healthz")).headers["allow"] == "GET, HEAD"
        answer = await client.head("/ocr")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/ocr", "/api/"])
@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", "x" * 100])
async def test_a_compressed_body_is_refused_as_such(path: str, coding: str) -> None:
    async with serving() as client:
        headers = {"Content-Encoding": coding}
        answer = await client.post(path, content=gzip.compress(PNG), headers=headers)
    assert_problem(answer, 415, "unsupported_format")
    assert "Content-Encoding" in answer.json()["detail"]


async def test_a_body_that_is_said_to_be_plain_is_taken() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=PNG, headers={"Content-Encoding": "identity"})
    assert answer.status_code == 200


async def test_json_that_goes_astray_is_shown_the_way() -> None:
    async with serving() as client:
        body = json.dumps({"image": "data:image/png;base64,"}).encode()
        answer = await client.post("/ocr", content=body, headers={"Content-Type": "application/json"})
        assert_problem(answer, 415, "unsupported_format")
        assert "POST /api/" in answer.json()["detail"]
        # Bytes decide, where they can.
        answer = await client.post("/ocr", content=PNG, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("pages", "detail"),
    [("1-2,x", "'x' is no page and no range of pages: write 1-3,7."), ("0", "pages are counted from 1."),
     ("3-1", "the range '3-1' ends before it starts."), ("", "'' is no page")],
)  # fmt: skip
async def test_page_ranges_are_refused_in_words(pages: str, detail: str) -> None:
    async with serving() as client:
        answer = await client.post("/ocr", params={"pages": pages}, content=PNG)
    assert_problem(answer, 422, "invalid_parameter")
    assert f"The query parameter 'pages' is not valid: {detail}" in answer.json()["detail"]
