"""Jobs when stages, documents or the store fail."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deployments.errors import OcrError, Overloaded, StageFailed
from deployments.tracing import SpanFields
from serve_app.jobs.errors import JobStorageFull, JobsUnavailable
from serve_app.jobs.records import JobState
from serve_app.jobs.runner import _wait_s
from serve_app.jobs.sqlite_store import SqliteJobStore
from tests.api_client import THREE_PAGES
from tests.job_replica import LEASE_S, replica, submit
from tests.jobs import Clock, Disk
from tests.readers import InkReader


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "jobs", Clock())


class Failing(InkReader):
    """Raises what is left in ``failures`` before it reads the next page."""

    failures: list[Exception]

    async def stream(self, pages: Any, options: Any) -> Any:
        async for result in InkReader.stream(self, pages, options):
            if self.failures:
                raise self.failures.pop(0)
            yield result


async def test_busy_stages_are_asked_again_more_and_more_slowly(disk: Disk) -> None:
    reader = Failing()
    reader.failures = [Overloaded("Full."), Overloaded("Full.", retry_after_s=7), Overloaded("Full.")]
    job = await submit(disk)
    async with replica(disk, reader) as one:
        one.naps.skip = 9.0
        await one.ended(job)
    assert [nap for nap in one.naps.asked_s if nap < 10] == [1.0, 7.0, 4.0]
    assert len(reader.shapes) == 6


async def test_patience_with_busy_stages_ends(disk: Disk) -> None:
    job = await submit(disk)
    async with replica(disk, InkReader(failure=Overloaded("Full.")), max_retries=3) as one:
        one.naps.skip = 9.0
        found = await one.ended(job, JobState.FAILED)
    assert found.failure is not None and (found.failure.code, found.failure.detail) == ("overloaded", "Full.")
    assert [nap for nap in one.naps.asked_s if nap < 10] == [1.0, 2.0, 4.0]


async def test_a_page_that_takes_too_long_fails_the_job_in_the_end(disk: Disk) -> None:
    job = await submit(disk)
    reader = InkReader(gate=asyncio.Event())
    async with replica(disk, reader, max_retries=1, page_deadline_s=0.01) as one:
        one.naps.skip = 9.0
        found = await one.ended(job, JobState.FAILED)
    assert found.failure is not None and found.failure.code == "deadline_exceeded"


@pytest.mark.parametrize(
    ("reader", "code", "detail"),
    [
        (InkReader(failure=StageFailed("Lost.")), "stage_failed", "Lost."),
        (InkReader(failure=RuntimeError("secret")), "internal", "The service failed unexpectedly."),
        (
            InkReader(page_errors={index: StageFailed(f"Page {index}.") for index in range(3)}),
            "stage_failed",
            "Page 0.",
        ),
    ],
    ids=["stage", "unexpected", "every-page"],
)
async def test_failures_become_the_job_s_own(disk: Disk, reader: InkReader, code: str, detail: str) -> None:
    job = await submit(disk)
    async with replica(disk, reader) as one:
        found = await one.ended(job, JobState.FAILED)
        assert await one.told() == [code]
    assert found.failure is not None
    assert (found.failure.code, found.failure.detail) == (code, detail)


async def test_what_is_logged_over_a_job_names_it(
    disk: Disk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caplog.handler, "filters", [SpanFields()])
    job = await submit(disk)
    async with replica(disk, InkReader(failure=RuntimeError("secret"))) as one:
        await one.told()
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert getattr(record, "ray_serve_extra_fields", {}) == {"job": job.id}


async def test_a_document_that_breaks_off_fails_its_job(disk: Disk) -> None:
    job = await submit(disk, data=THREE_PAGES[:-200])
    async with replica(disk, InkReader()) as one:
        found = await one.ended(job, JobState.FAILED)
    assert found.failure is not None and found.failure.code == "unreadable_document"


async def test_a_page_that_failed_does_not_fail_the_job(disk: Disk) -> None:
    job = await submit(disk)
    async with replica(disk, InkReader(page_errors={1: StageFailed("Lost.")})) as one:
        found = await one.ended(job)
    assert not one.observer.failed
    (failed,) = found.page_failures
    assert (failed.page, failed.failure.code) == (2, "stage_failed")


async def test_a_job_without_space_fails_without_waiting(disk: Disk) -> None:
    job = await submit(disk)
    size_bytes = len(THREE_PAGES)
    async with replica(disk, InkReader(), max_stored_bytes=size_bytes + 10) as one:
        found = await one.ended(job, JobState.FAILED)
    assert found.failure is not None and found.failure.code == JobStorageFull.code


@pytest.mark.parametrize("error", [JobsUnavailable("Away."), RuntimeError("broken")])
async def test_a_store_that_fails_for_a_while_is_asked_again(
    disk: Disk, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submit(disk)
    failures: list[Exception] = [error, error]
    claim = SqliteJobStore.claim

    async def flaky(self: SqliteJobStore) -> Any:
        if failures:
            raise failures.pop()
        return await claim(self)

    monkeypatch.setattr(SqliteJobStore, "claim", flaky)
    async with replica(disk, InkReader(), lease_s=0.03) as one:
        await one.ended(job)
    assert failures == []


async def test_a_failure_that_cannot_be_kept_leaves_the_job_to_the_next_attempt(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submit(disk)
    tried = asyncio.Event()
    fail = SqliteJobStore.fail

    async def away(self: SqliteJobStore, lease: Any, failure: Any) -> None:
        tried.set()
        raise JobsUnavailable("Away.")

    monkeypatch.setattr(SqliteJobStore, "fail", away)
    async with replica(disk, InkReader(failure=StageFailed("Lost."))) as one:
        await asyncio.wait_for(tried.wait(), 120)
        monkeypatch.setattr(SqliteJobStore, "fail", fail)
        disk.clock.now_s += LEASE_S
        one.runner.wake()
        found = await one.ended(job, JobState.FAILED)
    assert found.failure is not None and isinstance(found.failure.code, str)


async def test_a_job_that_is_given_up_is_told_once(disk: Disk) -> None:
    job = await submit(disk)
    async with replica(disk, InkReader(gate=asyncio.Event()), max_attempts=1) as first:
        async with asyncio.timeout(60):
            while (await first.store.find(job.id)).state is not JobState.RUNNING:
                await asyncio.sleep(0)
        await first.kill()
    disk.clock.now_s += LEASE_S
    async with replica(disk, InkReader(), max_attempts=1) as second:
        await second.ended(job, JobState.FAILED)
        second.naps.skip = 60.0
        second.naps.over.set()
        assert await second.told() == ["job_abandoned"]


def test_waits_never_pass_half_a_minute() -> None:

    assert _wait_s(Overloaded(retry_after_s=500), 1) == 30
    assert _wait_s(OcrError(), 9) == 30
