"""What any store of jobs does, on the embedded one: jobs, leases, expiry, bounds. Time is injected."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deployments.errors import StageFailed
from serve_app.jobs.errors import (
    IdempotencyKeyReused,
    JobExpired,
    JobNotFound,
    JobStorageFull,
    JobsUnavailable,
    LeaseLost,
    TooManyJobs,
)
from serve_app.jobs.records import Failure, JobState, Lease, PageFailure
from serve_app.jobs.sqlite_store import SqliteJobStore
from serve_app.schemas import OcrQuery, OutputFormat
from tests.jobs import SUMMARY, Clock, Disk, page, submitted

LEASE_S = 30.0


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "jobs", Clock())


async def claimed(store: SqliteJobStore) -> Lease:
    lease = await store.claim()
    assert lease is not None
    return lease


async def read_out(store: SqliteJobStore, job_id: str) -> bytes:
    result = await store.result(job_id)
    body = b"".join([chunk async for chunk in result.chunks])
    assert len(body) == result.size_bytes
    return body


async def test_a_job_outlives_its_process(disk: Disk) -> None:
    first = disk.store()
    query = OcrQuery(pages="1-3", words=True)
    job = await submitted(first, query=query, output=OutputFormat.PDF, owner="anna")
    await first.close()
    second = disk.store()
    assert await second.find(job.id) == job
    assert (job.state, job.page_count, job.pages_done) == (JobState.QUEUED, 3, 0)
    assert (job.request.query, job.request.output) == (query, OutputFormat.PDF)
    assert (job.request.owner, job.request.request_id) == ("anna", "request-1")
    (file,) = await second.files(job.id)
    assert (file.data, file.name) == (b"document", "scan.tif")


async def test_ids_cannot_be_guessed_and_unknown_ones_are_not_found(disk: Disk) -> None:
    store = disk.store()
    ids = {(await submitted(store)).id for _ in range(3)}
    assert len(ids) == 3 and all(len(each) == 32 and int(each, 16) for each in ids)
    for wrong in ("", "0" * 32, "../../etc/passwd", "' OR 1=1 --"):
        with pytest.raises(JobNotFound):
            await store.find(wrong)


async def test_pages_and_result_are_kept(disk: Disk) -> None:
    store = disk.store()
    job = await submitted(store)
    lease = await claimed(store)
    for index, error in enumerate([None, StageFailed("Lost."), None]):
        await store.add_page(lease, page(index, error))
    running = await store.find(job.id)
    assert (running.state, running.pages_done) == (JobState.RUNNING, 3)
    assert running.page_failures == (PageFailure(2, 1, Failure("stage_failed", "Lost.")),)
    assert [(each.index, each.error is None) for each in await store.pages(job.id)] == [
        (0, True),
        (1, False),
        (2, True),
    ]
    disk.clock.now_s += 10
    await store.finish(lease, SUMMARY, b"written")
    done = await store.find(job.id)
    assert (done.state, done.summary, done.is_finished) == (JobState.SUCCEEDED, SUMMARY, True)
    assert (done.finished_s, done.started_s) == (disk.clock.now_s, disk.clock.now_s - 10)
    assert await read_out(store, job.id) == b"written"


async def test_jobs_are_claimed_oldest_first_and_each_by_one(disk: Disk) -> None:
    one, other = disk.store(), disk.store()
    first = await submitted(one)
    disk.clock.now_s += 1
    second = await submitted(other)
    assert (await claimed(other)).job.id == first.id
    assert (await claimed(one)).job.id == second.id
    assert await one.claim() is None and await other.claim() is None


async def test_a_job_of_another_version_holds_up_no_other(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    store = disk.store()
    unknown, known = await submitted(store), await submitted(store)
    with closing(sqlite3.connect(disk.directory / "jobs.sqlite3")) as sql, sql:
        sql.execute(
            "UPDATE jobs SET request = json_set(request, '$.query.newer', 1) WHERE id = ?", (unknown.id,)
        )
    assert (await claimed(store)).job.id == known.id
    assert await store.claim() is None
    assert f"job {unknown.id} is passed over" in caplog.text
    with pytest.raises(JobsUnavailable, match="another version"):
        await store.find(unknown.id)


async def test_claims_at_the_same_time_give_one_lease(disk: Disk) -> None:
    stores = [disk.store() for _ in range(6)]
    job = await submitted(stores[0])
    leases = await asyncio.gather(*(store.claim() for store in stores))
    (lease,) = filter(None, leases)
    assert lease.job.id == job.id


async def test_an_orphaned_job_is_taken_up_where_it_was_and_its_first_holder_is_shut_out(disk: Disk) -> None:
    dead, heir = disk.store(), disk.store()
    job = await submitted(dead)
    lost = await claimed(dead)
    await dead.add_page(lost, page(0))
    disk.clock.now_s += LEASE_S - 1
    assert await heir.claim() is None
    disk.clock.now_s += 1
    lease = await claimed(heir)
    assert (lease.job.id, lease.job.pages_done) == (job.id, 1)
    assert [each.index for each in await heir.pages(job.id)] == [0]
    for late in (
        dead.renew(lost),
        dead.add_page(lost, page(1)),
        dead.finish(lost, SUMMARY, b"late"),
        dead.fail(lost, Failure("internal", "")),
        dead.release(lost),
    ):
        with pytest.raises(LeaseLost):
            await late
    await heir.add_page(lease, page(1))
    assert (await heir.find(job.id)).pages_done == 2


async def test_a_renewed_lease_holds(disk: Disk) -> None:
    store = disk.store()
    await submitted(store)
    lease = await claimed(store)
    for _ in range(3):
        disk.clock.now_s += LEASE_S - 1
        await store.renew(lease)
    assert await disk.store().claim() is None


async def test_a_page_is_kept_once_and_in_order(disk: Disk) -> None:
    store = disk.store()
    job = await submitted(store)
    lease = await claimed(store)
    await store.add_page(lease, page(0))
    for index in (0, 2):
        with pytest.raises(LeaseLost):
            await store.add_page(lease, page(index))
    assert (await store.find(job.id)).pages_done == 1


async def test_a_released_job_is_free_at_once(disk: Disk) -> None:
    store = disk.store(max_attempts=1)
    await submitted(store)
    for _ in range(3):
        await store.release(await claimed(store))
    assert await disk.store(max_attempts=1).claim() is not None


async def test_a_job_that_kills_its_readers_is_given_up(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    store = disk.store(max_attempts=2)
    job = await submitted(store)
    other = await submitted(store)
    for _ in range(2):
        assert (await claimed(store)).job.id == job.id
        disk.clock.now_s += LEASE_S
    assert (await claimed(store)).job.id == other.id
    found = await store.find(job.id)
    assert found.state is JobState.FAILED and found.failure is not None
    assert found.failure.code == "job_abandoned"
    assert job.id in caplog.text
    assert disk.files() == ["1"]


async def test_a_page_that_was_read_starts_the_count_anew(disk: Disk) -> None:
    store = disk.store(max_attempts=2)
    await submitted(store, pages=9)
    for index in range(5):
        await store.add_page(await claimed(store), page(index))
        disk.clock.now_s += LEASE_S
    assert await store.claim() is not None


async def test_a_failed_job_takes_no_space(disk: Disk) -> None:
    store = disk.store(max_stored_bytes=10)
    job = await submitted(store, data=b"0123456789")
    await store.fail(await claimed(store), Failure("unreadable_document", "Torn."))
    found = await store.find(job.id)
    assert (found.state, found.failure) == (JobState.FAILED, Failure("unreadable_document", "Torn."))
    assert disk.files() == [] and await store.pages(job.id) == []
    with pytest.raises(JobNotFound):
        await store.files(job.id)
    await submitted(store, data=b"0123456789")


async def test_a_removed_job_is_gone_and_its_lease_with_it(disk: Disk) -> None:
    store = disk.store()
    job = await submitted(store)
    lease = await claimed(store)
    await disk.store().remove(job.id)
    with pytest.raises(JobNotFound):
        await store.find(job.id)
    with pytest.raises(LeaseLost):
        await store.renew(lease)
    with pytest.raises(LeaseLost):
        await store.finish(lease, SUMMARY, b"late")
    assert disk.files() == [] and await store.claim() is None


async def test_a_job_expires_and_is_forgotten_later(disk: Disk) -> None:
    store = disk.store(keep_s=100)
    job = await submitted(store)
    disk.clock.now_s += 60
    await store.finish(await claimed(store), SUMMARY, b"written")
    assert (await store.find(job.id)).expires_s == disk.clock.now_s + 100
    disk.clock.now_s += 100
    for read in (store.find, store.files, store.pages, store.result):
        with pytest.raises(JobExpired):
            await read(job.id)
    assert disk.files() == ["1", "result"]
    await store.sweep()
    assert disk.files() == []
    with pytest.raises(JobExpired):
        await store.find(job.id)
    disk.clock.now_s += 100
    await store.sweep()
    with pytest.raises(JobNotFound):
        await store.find(job.id)


async def test_a_job_that_nobody_reads_expires_and_one_that_is_read_does_not(disk: Disk) -> None:
    store = disk.store(keep_s=100)
    read, waiting = await submitted(store), await submitted(store)
    lease = await claimed(store)
    assert lease.job.id == read.id
    disk.clock.now_s += 90
    await store.renew(lease)
    disk.clock.now_s += 15
    await store.sweep()
    with pytest.raises(JobExpired):
        await store.find(waiting.id)
    assert await store.claim() is None
    await store.add_page(lease, page(0))
    await store.finish(lease, SUMMARY, b"written")
    assert (await store.find(lease.job.id)).state is JobState.SUCCEEDED


async def test_the_number_of_jobs_is_bounded(disk: Disk) -> None:
    store = disk.store(max_jobs=2, keep_s=600)
    first = await submitted(store)
    disk.clock.now_s += 100
    await submitted(store)
    with pytest.raises(TooManyJobs) as refused:
        await submitted(store)
    assert refused.value.retry_after_s == 500
    with pytest.raises(TooManyJobs):
        await store.check_room(0)
    assert len(disk.files()) == 2
    await store.remove(first.id)
    await submitted(store)
    disk.clock.now_s += 600
    await store.check_room(0)
    await submitted(store)


async def test_the_bytes_of_jobs_are_bounded_pages_and_results_included(disk: Disk) -> None:
    store = disk.store(max_stored_bytes=2000)
    with pytest.raises(JobStorageFull):
        await submitted(store, data=bytes(2001))
    assert disk.files() == []
    job = await submitted(store, data=bytes(1000))
    with pytest.raises(JobStorageFull, match="2000 bytes"):
        await submitted(store, data=bytes(1001))
    with pytest.raises(JobStorageFull, match="2000 bytes"):
        await store.check_room(1001)
    lease = await claimed(store)
    await store.add_page(lease, page(0))
    with pytest.raises(JobStorageFull):
        await store.finish(lease, SUMMARY, bytes(1000))
    with pytest.raises(JobStorageFull):
        for index in range(1, 9):
            await store.add_page(lease, page(index))
    assert (await store.find(job.id)).state is JobState.RUNNING


async def test_a_submission_sent_again_with_its_key_is_one_job(disk: Disk) -> None:
    store = disk.store(keep_s=100)
    job = await submitted(store, idempotency_key="k")
    assert await submitted(disk.store(), idempotency_key="k") == job
    assert disk.files() == ["1"]
    assert (await submitted(store, idempotency_key="k", owner="anna")).id != job.id
    assert (await submitted(store)).id != (await submitted(store)).id
    disk.clock.now_s += 100
    assert (await submitted(store, idempotency_key="k")).id != job.id


@pytest.mark.parametrize(
    "other",
    [{"data": b"another"}, {"query": OcrQuery(pages="2")}, {"output": OutputFormat.PDF}],
    ids=["file", "query", "format"],
)
async def test_a_key_is_for_one_submission(disk: Disk, other: dict[str, object]) -> None:
    store = disk.store()
    await submitted(store, idempotency_key="k")
    with pytest.raises(IdempotencyKeyReused):
        await submitted(store, idempotency_key="k", **other)


async def test_submissions_at_the_same_time_with_one_key_are_one_job(disk: Disk) -> None:
    stores = [disk.store() for _ in range(5)]
    jobs = await asyncio.gather(*(submitted(store, idempotency_key="k") for store in stores))
    assert len({job.id for job in jobs}) == 1 and disk.files() == ["1"]


async def test_what_is_stored_is_told(disk: Disk) -> None:
    store = disk.store(max_stored_bytes=1000)
    assert (await store.usage()).jobs == dict.fromkeys(JobState, 0)
    await submitted(store)
    disk.clock.now_s += 5
    await submitted(store, data=b"another")
    disk.clock.now_s += 20
    usage = await store.usage()
    assert usage.jobs[JobState.QUEUED] == 2
    assert (usage.oldest_wait_s, usage.stored_bytes, usage.max_bytes) == (25, 15, 1000)
    lease = await claimed(store)
    usage = await store.usage()
    assert (usage.jobs[JobState.QUEUED], usage.jobs[JobState.RUNNING], usage.oldest_wait_s) == (1, 1, 20)
    await store.fail(lease, Failure("internal", "broken"))
    usage = await store.usage()
    assert (usage.jobs[JobState.FAILED], usage.stored_bytes) == (1, 7)
