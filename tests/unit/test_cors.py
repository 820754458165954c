"""Calls from web pages of other origins, and what browsers are told about every answer."""

from __future__ import annotations

import httpx
import pytest
from pydantic import ValidationError

from serve_app.api import create_api
from serve_app.middleware.config import Access, Cors
from tests.api_client import PNG, Config
from tests.readers import InkReader

PAGE = "https://app.example.org"


def service_for(*origins: str, reader: InkReader | None = None) -> httpx.AsyncClient:
    app = create_api(reader or InkReader(), Config(access=Access(cors=Cors(origins=origins))))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,prefer,x-api-key,x-request-id",
}


async def test_by_default_no_other_origin_is_let_in() -> None:
    async with service_for() as client:
        answer = await client.post("/ocr", content=PNG, headers={"Origin": PAGE})
        assert (await client.options("/ocr", headers=PREFLIGHT)).status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_listed_origin_may_call_and_see_the_headers_that_matter() -> None:
    async with service_for(PAGE) as client:
        preflight = await client.options("/ocr", headers=PREFLIGHT)
        answer = await client.post("/ocr", content=PNG, headers={"Origin": PAGE})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert preflight.headers["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in preflight.headers
    assert answer.headers["access-control-allow-origin"] == PAGE
    shown = answer.headers["access-control-expose-headers"]
    assert {"X-Request-ID", "Server-Timing", "RateLimit", "Retry-After"} <= set(shown.split(", "))
    assert {"Accept", "Origin"} == set(answer.headers["vary"].split(", "))


@pytest.mark.parametrize("failure", [None, RuntimeError("broken")])
async def test_problems_can_be_read_by_the_page_too(failure: Exception | None) -> None:
    async with service_for(PAGE, reader=InkReader(failure=failure)) as client:
        answer = await client.post("/ocr", content=PNG if failure else b"text", headers={"Origin": PAGE})
    assert answer.status_code == (500 if failure else 415)
    assert answer.headers["access-control-allow-origin"] == PAGE


async def test_another_origin_is_not_let_in() -> None:
    async with service_for(PAGE) as client:
        other = {"Origin": "https://evil.example"}
        assert (await client.options("/ocr", headers=PREFLIGHT | other)).status_code == 400
        answer = await client.post("/ocr", content=PNG, headers=other)
    assert "access-control-allow-origin" not in answer.headers


async def test_a_star_lets_every_page_in() -> None:
    async with service_for("*") as client:
        answer = await client.post("/ocr", content=PNG, headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("origin", ["app.example.org", "https://app.example.org/", "https://*", "null", ""])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Cors(origins=(origin,))


async def test_answers_of_the_api_are_kept_shown_and_run_nowhere() -> None:
    async with service_for() as client:
        answers = [await client.post("/ocr", content=PNG), await client.get("/healthz"),
                   await client.post("/ocr", content=b"text"), await client.get("/nowhere")]  # fmt: skip
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_pages_keep_their_own_policy() -> None:
    async with service_for() as client:
        page = await client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-cache", "no-referrer")
