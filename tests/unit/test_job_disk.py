"""The embedded store when the disk is full, broken, or not what was expected; and where it is."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from serve_app.jobs import files as job_files
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.connection import connect
from serve_app.jobs.errors import JobNotFound, JobStorageFull, JobsUnavailable
from serve_app.jobs.sqlite_store import SqliteJobStore, default_directory
from serve_app.jobs.store import open_store
from tests.jobs import Clock, Disk, page, submitted


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "jobs", Clock())


async def test_a_full_disk_refuses_the_document_and_leaves_nothing(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = disk.store()
    await submitted(store)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(job_files.os, "fsync", full)
    with pytest.raises(JobStorageFull, match="disk") as refused:
        await submitted(store)
    assert refused.value.status == 507 and str(disk.directory) not in refused.value.public
    monkeypatch.undo()
    assert disk.files() == ["1"]
    assert (await submitted(store)).page_count == 3


def test_a_new_file_is_switched_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite refuses all but one that switch a file to write-ahead, without its busy timeout."""
    inside: list[str] = []
    most: list[int] = []

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if "journal_mode" not in sql:
                return super().execute(sql, *values)
            inside.append(sql)
            try:
                return super().execute(sql, *values)
            finally:
                most.append(len(inside))
                inside.pop()

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **o: real(*a, factory=Watched, **o))
    start = threading.Barrier(8)

    def open_it() -> None:
        start.wait()
        connect(tmp_path / "jobs.sqlite3").close()

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


async def test_a_database_without_space_says_so(disk: Disk) -> None:
    store = disk.store()
    await submitted(store, pages=100)
    lease = await store.claim()
    assert lease is not None
    database = store._database
    assert database is not None
    (pages,) = database._sql.execute("PRAGMA page_count").fetchone()
    database._sql.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(JobStorageFull):
        for index in range(100):
            await store.add_page(lease, page(index, text=os.urandom(2000).hex()))
    database._sql.execute("PRAGMA max_page_count = 100000")
    kept = (await store.find(lease.job.id)).pages_done
    await store.add_page(lease, page(kept))


async def test_jobs_are_not_lost_to_a_folder_that_was_emptied_under_the_service(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its file SQLite goes on in one that nobody will find again."""
    store = disk.store()
    gone = await submitted(store)
    shutil.rmtree(disk.directory)
    job = await submitted(store)
    assert "removed or replaced" in caplog.text
    with pytest.raises(JobNotFound):
        await store.find(gone.id)
    lease = await store.claim()
    assert lease is not None and lease.job.id == job.id
    await store.close()
    assert (await disk.store().find(job.id)).id == job.id


async def test_a_folder_that_cannot_be_made_is_told_and_tried_again(disk: Disk) -> None:
    disk.directory.write_text("in the way")
    store = disk.store()
    with pytest.raises(JobsUnavailable) as refused:
        await submitted(store)
    assert refused.value.status == 503 and str(disk.directory) not in refused.value.public
    disk.directory.unlink()
    await submitted(store)


async def test_a_file_that_is_no_database_is_told(disk: Disk) -> None:
    disk.directory.mkdir()
    (disk.directory / "jobs.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(JobsUnavailable):
        await disk.store().claim()


async def test_a_database_of_another_version_is_left_alone(disk: Disk) -> None:
    disk.directory.mkdir()
    with sqlite3.connect(disk.directory / "jobs.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JobsUnavailable):
        await disk.store().claim()


async def test_documents_are_for_nobody_else(disk: Disk) -> None:
    job = await submitted(disk.store())
    for path in (disk.directory, disk.directory / "documents" / job.id):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


async def test_files_without_a_job_are_removed_after_a_while(disk: Disk) -> None:
    first = disk.store()
    job = await submitted(first)
    await first.close()
    for name, age_s in (("old", 4000), ("new", 0)):
        folder = disk.directory / "documents" / name
        folder.mkdir()
        os.utime(folder, (folder.stat().st_mtime - age_s,) * 2)
    await disk.store().claim()
    assert {path.name for path in disk.directory.glob("documents/*")} == {job.id, "new"}


async def test_files_without_a_job_are_removed_from_a_store_that_is_long_open(disk: Disk) -> None:
    store = disk.store()
    job = await submitted(store)
    folder = disk.directory / "documents" / "orphan"
    folder.mkdir()
    os.utime(folder, (folder.stat().st_mtime - 4000,) * 2)
    await store.sweep()
    assert folder.exists()
    disk.clock.now_s += 3600
    await store.sweep()
    assert {path.name for path in disk.directory.glob("documents/*")} == {job.id}


async def test_a_client_that_leaves_takes_its_job_away_with_all_its_files(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = disk.store()
    job = await submitted(store)
    gone = asyncio.Event()
    remove = job_files.JobFiles.remove
    loop = asyncio.get_running_loop()

    def told(self: job_files.JobFiles, job_id: str) -> None:
        remove(self, job_id)
        loop.call_soon_threadsafe(gone.set)

    monkeypatch.setattr(job_files.JobFiles, "remove", told)
    removing = asyncio.create_task(store.remove(job.id))
    await asyncio.sleep(0)
    removing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await removing
    async with asyncio.timeout(120):
        await gone.wait()
    assert disk.files() == []


async def test_a_client_that_leaves_has_a_whole_job_or_none(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, writing, go_on = disk.store(), threading.Event(), threading.Event()
    await store.sweep()
    write = job_files.JobFiles.write_documents

    def slowly(self: job_files.JobFiles, *written: Any) -> None:
        writing.set()
        assert go_on.wait(120)
        write(self, *written)

    monkeypatch.setattr(job_files.JobFiles, "write_documents", slowly)
    sending = asyncio.create_task(submitted(store, idempotency_key="k"))
    assert await asyncio.to_thread(writing.wait, 120)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    go_on.set()
    monkeypatch.undo()
    async with asyncio.timeout(120):
        while (lease := await store.claim()) is None:
            await asyncio.sleep(0)
    assert [file.data for file in await store.files(lease.job.id)] == [b"document"]
    assert (await submitted(store, idempotency_key="k")).id == lease.job.id


def test_the_default_folder_is_in_the_user_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert default_directory() == Path("/var/cache/me/scriptorium/jobs")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".cache/scriptorium/jobs"
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", "/temporary")
    assert default_directory() == Path(f"/temporary/user-{os.getuid()}/scriptorium/jobs")


def external(config: JobsConfig) -> SqliteJobStore:
    return SqliteJobStore(JobsConfig(directory=config.options["url"]))


def test_the_store_is_chosen_by_its_import_path(tmp_path: Path) -> None:
    config = JobsConfig(store=f"{__name__}:external", options={"url": str(tmp_path)})
    assert isinstance(open_store(config), SqliteJobStore)


@pytest.mark.parametrize("path", ["no_such_module:store", "serve_app.jobs.store:missing"])
def test_a_store_that_does_not_exist_is_an_error_at_start(path: str) -> None:
    with pytest.raises(ValueError, match=r"jobs\.store"):
        open_store(JobsConfig(store=path))


@pytest.mark.parametrize("value", [{"store": "redis"}, {"keep_s": 0}, {"lease": 3}, {"max_jobs": -1}])
def test_wrong_configuration_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        JobsConfig.model_validate(value)
