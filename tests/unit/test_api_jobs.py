"""Jobs over HTTP: the API in this process, with its store on a temporary disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.errors import StageFailed
from serve_app.api import create_api
from serve_app.jobs import contract
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.schemas import JobView
from serve_app.jobs.service import MOST_REWRITTEN
from serve_app.keys import entry, new_key
from serve_app.middleware.config import Access, KeySource
from serve_app.reading import DocumentReader
from serve_app.schemas import Answer, OutputFormat
from serve_app.stream_schemas import StreamLine
from tests.api_client import PNG, THREE_PAGES, Config, assert_problem
from tests.job_service import ended, service, submit
from tests.readers import InkReader


async def test_a_document_is_taken_read_and_fetched(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        answer = await client.post("/jobs", content=THREE_PAGES)
        assert (answer.status_code, answer.headers["retry-after"]) == (202, "2")
        taken = JobView.model_validate_json(answer.content)
        assert answer.headers["location"] == taken.links.job == f"/jobs/{taken.id}"
        assert (taken.status, taken.progress.page_count, taken.format) == ("queued", 3, "json")
        done = await ended(client, taken)
        assert (done.status, done.progress.pages_done, done.problem) == ("succeeded", 3, None)
        assert done.created_at <= done.finished_at < done.expires_at  # type: ignore[operator]
        result = await client.get(done.links.result)
        at_once = await client.post("/ocr", content=THREE_PAGES)
    assert result.headers["content-type"] == "application/json"
    assert int(result.headers["content-length"]) == len(result.content)
    read = Answer.model_validate_json(result.content)
    assert read.pages == Answer.model_validate_json(at_once.content).pages
    assert read.request_id == answer.headers["x-request-id"] != result.headers["x-request-id"]
    assert set(read.timings_ms) == {"decode", "detection", "total"} and read.engines == {"detection": "ink"}


@pytest.mark.parametrize("output", [each for each in OutputFormat if each is not OutputFormat.PNG])
async def test_a_result_is_the_same_whether_kept_or_written_on_request(
    tmp_path: Path, output: OutputFormat
) -> None:
    async with service(tmp_path) as client:
        kept_job = await ended(client, await submit(client, path=f"/jobs?format={output}"))
        json_job = await ended(client, await submit(client))
        kept = await client.get(kept_job.links.result)
        written = await client.get(f"{json_job.links.result}?format={output}")
    assert (kept.status_code, kept_job.format) == (200, output)
    assert kept.headers["content-type"] == written.headers["content-type"]
    assert kept.headers.get("content-disposition") == written.headers.get("content-disposition")
    if output in (OutputFormat.JSON, OutputFormat.NDJSON):
        assert without_times(kept.text) == without_times(written.text)
    else:
        assert kept.content == written.content
    if output is OutputFormat.NDJSON:
        lines = [StreamLine.model_validate_json(line) for line in kept.text.splitlines()]
        assert lines[0].start and lines[-1].end and lines[-1].end.page_count == len(lines) - 2 == 3


def without_times(text: str) -> list[Any]:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in ("timings_ms", "request_id")}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return [strip(json.loads(line)) for line in text.splitlines()]


async def test_a_page_is_drawn_on_request(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        done = await ended(client, await submit(client, PNG))
        drawn = await client.get(f"{done.links.result}?format=png")
        assert drawn.content.startswith(b"\x89PNG")
        three = await ended(client, await submit(client))
        assert_problem(await client.get(f"{three.links.result}?format=png"), 422, "invalid_parameter")


async def test_results_in_other_formats_are_written_one_by_one_and_not_for_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_again, at_once, most = DocumentReader.write_again, 0, 0

    async def counting(self: DocumentReader, *arguments: Any) -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        try:
            return await write_again(self, *arguments)
        finally:
            at_once -= 1

    async with service(tmp_path) as client:
        done = await ended(client, await submit(client))
        monkeypatch.setattr(DocumentReader, "write_again", counting)
        path = f"{done.links.result}?format=pdf"
        answers = await asyncio.gather(*(client.get(path) for _ in range(MOST_REWRITTEN + 2)))
        assert most == 1
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == 2
        for answer in refused:
            assert_problem(answer, 503, "overloaded")
            assert answer.headers["retry-after"] == "2"
        assert (await client.get(path)).status_code == 200


async def test_the_format_of_a_result_is_negotiated(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        answer = await client.post("/jobs", content=PNG, headers={"Accept": "text/plain"})
        done = await ended(client, JobView.model_validate_json(answer.content))
        path = done.links.result

        async def kind(accept: str) -> str:
            return (await client.get(path, headers={"Accept": accept})).headers["content-type"]

        assert await kind("*/*") == await kind("text/*") == "text/plain; charset=utf-8"
        assert await kind("application/json") == "application/json"
        assert await kind("application/pdf, */*;q=0.1") == "application/pdf"
        refused = await client.get(path, headers={"Accept": "audio/mpeg"})
        assert_problem(refused, 406, "not_acceptable")


async def test_words_and_filters_are_those_of_the_submission(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        done = await ended(client, await submit(client, PNG, "/jobs?words=true&kind=handwritten"))
        (page,) = (await client.get(done.links.result)).json()["pages"]
    (region,) = page["regions"]
    assert region["kind"] == "handwritten" and region["words"] is not None


async def test_files_of_a_form_keep_their_names_and_order(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        files = [("file", ("a.png", PNG)), ("file", ("b.tif", THREE_PAGES))]
        answer = await client.post("/jobs?pages=1", files=files)
        done = await ended(client, JobView.model_validate_json(answer.content))
        pages = (await client.get(done.links.result)).json()["pages"]
    assert [(page["file"], page["file_name"], page["page"]) for page in pages] == [
        (1, "a.png", 1),
        (2, "b.tif", 1),
    ]


async def test_a_running_job_tells_its_progress_and_has_no_result_yet(tmp_path: Path) -> None:
    reader = InkReader(gate=asyncio.Event())
    async with service(tmp_path, reader) as client:
        job = await submit(client)
        await asyncio.wait_for(reader.started.wait(), 120)
        view = (await client.get(job.links.job)).json()
        assert (view["status"], view["progress"]) == ("running", {"pages_done": 0, "page_count": 3})
        refused = await client.get(job.links.result)
        assert assert_problem(refused, 409, "job_not_finished").detail == "0 of 3 pages are read."
        assert refused.headers["retry-after"] == "2"


async def test_pages_that_failed_are_told_beside_the_others(tmp_path: Path) -> None:
    async with service(tmp_path, InkReader(page_errors={1: StageFailed("Lost.")})) as client:
        done = await ended(client, await submit(client))
        pages = (await client.get(done.links.result)).json()["pages"]
    assert [failed.model_dump() for failed in done.page_failures] == [
        {"file": 1, "page": 2, "error": {"code": "stage_failed", "detail": "Lost."}}
    ]
    assert [page["error"] is None for page in pages] == [True, False, True]


async def test_removing_a_job_stops_it(tmp_path: Path) -> None:
    reader = InkReader(gate=asyncio.Event())
    async with service(tmp_path, reader) as client:
        job = await submit(client)
        await asyncio.wait_for(reader.started.wait(), 120)
        removed = await client.delete(job.links.job)
        assert (removed.status_code, removed.content) == (204, b"")
        async with asyncio.timeout(120):
            while not reader.cancelled:
                await asyncio.sleep(0)
        for method, path in (("GET", job.links.job), ("GET", job.links.result), ("DELETE", job.links.job)):
            assert_problem(await client.request(method, path), 404, "job_not_found")
    assert not list((tmp_path / "jobs").glob("documents/*"))


async def test_a_submission_can_be_sent_again(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        key = {"Idempotency-Key": "order-17"}
        first = await client.post("/jobs", content=PNG, headers=key)
        again = await client.post("/jobs", content=PNG, headers=key)
        assert again.status_code == 202 and again.json()["id"] == first.json()["id"]
        other = await client.post("/jobs", content=THREE_PAGES, headers=key)
        assert_problem(other, 422, "idempotency_key_reused")
        long = await client.post("/jobs", content=PNG, headers={"Idempotency-Key": "x" * 256})
        assert "Idempotency-Key" in assert_problem(long, 422, "invalid_parameter").detail


async def test_the_methods_of_a_job_are_named(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        refused = await client.put("/jobs/x")
        assert_problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "DELETE, GET, HEAD"
        assert (await client.get("/jobs")).headers["allow"] == "POST"


async def test_links_follow_the_prefix_of_the_service(tmp_path: Path) -> None:
    async with service(tmp_path, prefix="/ocr-service") as client:
        answer = await client.post("/jobs", content=PNG)
    assert answer.headers["location"] == f"/ocr-service/jobs/{answer.json()['id']}"


async def test_a_job_belongs_to_the_key_that_made_it(tmp_path: Path) -> None:
    keys = {name: new_key() for name in ("anna", "boris")}
    file = tmp_path / "keys"
    file.write_text("\n".join(entry(name, key) for name, key in keys.items()))
    async with service(tmp_path, access=Access(keys=KeySource(file=str(file)))) as client:
        assert_problem(await client.post("/jobs", content=PNG), 401, "unauthorized")
        client.headers["X-API-Key"] = keys["anna"]
        links = (await ended(client, await submit(client, PNG))).links
        client.headers["X-API-Key"] = keys["boris"]
        for method, path in (("GET", links.job), ("GET", links.result), ("DELETE", links.job)):
            assert_problem(await client.request(method, path), 404, "job_not_found")
        client.headers["X-API-Key"] = keys["anna"]
        assert (await client.get(links.result)).status_code == 200


async def test_without_jobs_their_paths_lead_nowhere() -> None:
    app = create_api(InkReader(), Config(jobs=None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as client:
        assert_problem(await client.post("/jobs", content=PNG), 404, "not_found")


def test_the_published_example_is_a_job() -> None:
    assert JobView.model_validate(contract.EXAMPLE_JOB).links.job.endswith(contract.EXAMPLE_JOB["id"])


async def test_the_store_is_opened_when_it_is_needed(tmp_path: Path) -> None:
    create_api(InkReader(), Config(jobs=JobsConfig(directory=str(tmp_path / "jobs"))))
    assert not (tmp_path / "jobs").exists()
