"""What can go wrong with jobs over HTTP, and how it is answered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import PIL.Image
import pytest

from deployments.errors import Overloaded, StageFailed
from serve_app import openapi, problems
from serve_app.api import create_api
from serve_app.draining import VARIABLE, drain
from serve_app.jobs import errors as job_errors
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.schemas import JobView
from serve_app.schemas import Problem
from tests.api_client import PNG, THREE_PAGES, Bounds, Config, assert_problem, two_rows, untouchable
from tests.job_service import ended, service, submit
from tests.pictures import encoded
from tests.readers import InkReader

# Each is small enough; together they have more than ``max_document_pixels``.
THREE_LARGE = encoded(
    PIL.Image.new("L", (200, 101)),
    "TIFF",
    save_all=True,
    append_images=[PIL.Image.new("L", (200, 101))] * 2,
    compression="packbits",
)


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/jobs", b"", 400, "malformed_request"),
        ("/jobs", b"text", 415, "unsupported_format"),
        ("/jobs", b"%PDF-1.7 torn", 422, "unreadable_document"),
        ("/jobs?pages=9", PNG, 422, "invalid_parameter"),
        ("/jobs?format=png", THREE_PAGES, 422, "invalid_parameter"),
        ("/jobs?format=docx", PNG, 422, "invalid_parameter"),
        ("/jobs?colour=red", PNG, 422, "invalid_parameter"),
        ("/jobs?pictures=100", PNG, 422, "invalid_parameter"),
        ("/jobs", bytes(10_001), 413, "payload_too_large"),
        ("/jobs", THREE_LARGE, 413, "payload_too_large"),
    ],
    ids=["empty", "text", "torn", "no-page", "png", "docx", "unknown", "pictures", "large", "pixels"],
)
async def test_what_is_wrong_with_a_submission_is_answered_at_once(
    tmp_path: Path, path: str, content: bytes, status: int, code: str
) -> None:
    async with service(tmp_path, max_body_bytes=10_000) as client:
        assert_problem(await client.post(path, content=content), status, code)
    assert not list((tmp_path / "jobs").glob("documents/*"))


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (PNG[:60], 422, "unreadable_document"),
        (encoded(two_rows().resize((2000, 8))), 413, "payload_too_large"),
    ],
    ids=["damaged", "large"],
)
async def test_what_is_wrong_with_a_page_fails_the_job(
    tmp_path: Path, content: bytes, status: int, code: str
) -> None:
    async with service(tmp_path) as client:
        done = await ended(client, await submit(client, content))
        assert (done.status, done.problem and done.problem.status) == ("failed", status)
        assert_failed(await client.get(done.links.result), code)


async def test_unacceptable_answers_are_refused_before_the_work(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        answer = await client.post("/jobs", content=PNG, headers={"Accept": "audio/mpeg"})
        assert_problem(answer, 406, "not_acceptable")


async def test_a_body_may_be_larger_than_that_of_a_reading(tmp_path: Path) -> None:
    noise = encoded(two_rows().resize((200, 150)), "BMP")
    assert len(noise) > 5000
    async with service(tmp_path) as client:
        assert_problem(await client.post("/ocr", content=noise), 413, "payload_too_large")
        await submit(client, noise)


async def test_the_result_of_a_failed_job_tells_the_cause(tmp_path: Path) -> None:
    async with service(tmp_path, InkReader(failure=StageFailed("Lost."))) as client:
        answer = await client.post("/jobs", content=PNG, headers={"X-Request-ID": "sent"})
        done = await ended(client, JobView.model_validate_json(answer.content))
        result = await client.get(done.links.result)
    assert (done.status, done.progress.pages_done) == ("failed", 0)
    assert done.problem and (done.problem.status, done.problem.request_id) == (500, "sent")
    assert assert_problem(result, 424, "job_failed").detail == "A processing stage failed on this item: Lost."
    assert result.json()["cause"] == done.problem.model_dump()


async def test_a_client_that_goes_by_the_contract_never_asks_a_failed_job_again(tmp_path: Path) -> None:
    """Even where the same document, submitted anew, might be read."""
    reader = InkReader(failure=Overloaded("Full.", retry_after_s=0.0))
    async with service(tmp_path, reader, max_retries=0) as client:
        done = await ended(client, await submit(client, PNG))
        result = await client.get(done.links.result)
        kind = (await client.get(assert_failed(result, "overloaded").type)).json()
    assert not kind["retry"] and "retry-after" not in result.headers
    assert kind["status"] not in {each.status for each in problems.catalogue().values() if each.retry}


def assert_failed(answer: httpx.Response, cause: str) -> Problem:
    problem = assert_problem(answer, 424, "job_failed")
    assert answer.json()["cause"]["type"] == f"/problems/{cause}"
    return problem


async def test_a_job_expires(tmp_path: Path) -> None:
    async with service(tmp_path, keep_s=0.2) as client:
        job = await submit(client)
        async with asyncio.timeout(120):
            while (answer := await client.get(job.links.job)).status_code == 200:
                await asyncio.sleep(0)
        assert_problem(answer, 410, "job_expired")
        assert_problem(await client.get(job.links.result), 410, "job_expired")


async def test_bounds_are_told_with_the_time_to_come_back(tmp_path: Path) -> None:
    async with service(tmp_path, max_jobs=1, keep_s=60) as client:
        await submit(client)
        refused = await client.post("/jobs", content=PNG)
    assert_problem(refused, 503, "too_many_jobs")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    async with service(tmp_path, max_stored_bytes=100) as client:
        refused = await client.post("/jobs", content=PNG)
    assert_problem(refused, 507, "job_storage_full")
    assert "retry-after" in refused.headers


async def test_bounds_are_told_while_the_body_is_unread_unless_it_may_be_known(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "one"}
    async with service(tmp_path, max_jobs=1, keep_s=60) as client:
        first = await client.post("/jobs", content=PNG, headers=key)
        assert_problem(await client.post("/jobs", content=untouchable()), 503, "too_many_jobs")
        again = await client.post("/jobs", content=PNG, headers=key)
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    async with service(tmp_path / "small", max_stored_bytes=100) as client:
        stated = {"Content-Length": "101"}
        refused = await client.post("/jobs", content=untouchable(), headers=stated)
        assert_problem(refused, 507, "job_storage_full")


async def test_an_engine_that_is_not_there_is_no_job(tmp_path: Path) -> None:
    reader = InkReader(engines={"detection": "ink", "recognition.printed": "crnn"})
    async with service(tmp_path, reader) as client:
        refused = await client.post("/jobs?engine=trocr", content=untouchable())
        assert_problem(refused, 422, "invalid_parameter")
        assert (await client.post("/jobs?engine=crnn", content=PNG)).status_code == 202


async def test_a_submission_may_find_no_memory_or_a_service_that_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are published, like everything else that it may be answered with 503."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    config = Config(Bounds(max_bodies_bytes=10), jobs=JobsConfig(directory=str(tmp_path / "jobs")))
    transport = httpx.ASGITransport(create_api(InkReader(), config))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert_problem(await client.post("/jobs", content=PNG), 503, "overloaded")
        assert drain(tmp_path, 0)
        assert_problem(await client.post("/jobs", content=PNG), 503, "stopping")
    responses = json.loads(openapi.contract_json())["paths"]["/jobs"]["post"]["responses"]
    assert set(responses["503"]["content"][problems.MEDIA_TYPE]["examples"]) == {
        "overloaded", "stopping", "stage_unavailable", "too_many_jobs", "jobs_unavailable"
    }  # fmt: skip


async def test_a_store_that_cannot_be_used_does_not_touch_readings(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")
    async with service(tmp_path) as client:
        refused = await client.post("/jobs", content=PNG)
        assert_problem(refused, 503, "jobs_unavailable")
        assert refused.headers["retry-after"] == "5"
        assert_problem(await client.get("/jobs/x"), 503, "jobs_unavailable")
        assert (await client.post("/ocr", content=PNG)).status_code == 200


def test_every_problem_of_jobs_is_published_where_it_may_come() -> None:
    paths = json.loads(openapi.contract_json())["paths"]
    shown: dict[str, set[str]] = {}
    for path in ("/jobs", "/jobs/{job_id}", "/jobs/{job_id}/result"):
        for route in paths[path].values():
            contents = [response.get("content", {}) for response in route["responses"].values()]
            examples = [content.get(problems.MEDIA_TYPE, {}).get("examples", {}) for content in contents]
            shown[route["operationId"]] = set().union(*examples)
    only_causes = {"job_abandoned"}
    assert (
        job_problems() - only_causes
        <= set().union(*shown.values())
        <= set(problems.catalogue()) - only_causes
    )
    looking = {"job_not_found", "job_expired", "jobs_unavailable"}
    assert shown["getJob"] & job_problems() == looking
    assert shown["deleteJob"] & job_problems() == looking | {"job_storage_full"}


def job_problems() -> set[str]:
    kinds = [kind for kind in vars(job_errors).values() if isinstance(kind, type)]
    return {kind.code for kind in kinds if kind.__module__ == job_errors.__name__ and hasattr(kind, "code")}
