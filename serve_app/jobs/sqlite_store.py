"""The embedded store: one SQLite file and a folder of documents, shared by the processes of one machine."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from serve_app.jobs.codec import dump_page, load_page
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.database import JobDatabase, Submission
from serve_app.jobs.errors import JobNotFound, JobStorageFull, JobsUnavailable, LeaseLost
from serve_app.jobs.files import JobFiles, read_chunk
from serve_app.jobs.records import Failure, Job, JobRequest, Lease, PageFailure, StoreUsage, Summary
from serve_app.jobs.store import StoredResult
from serve_app.pages import SourceFile
from serve_app.results import PageResult

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FILE = "jobs.sqlite3"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_RETRY_S = 5.0
_TIDY_EVERY_S = 3600.0


class SqliteJobStore:
    """A ``JobStore`` on this machine's disk.

    The database has a thread of its own, files have another, so that leases are renewed while a large
    document is written. The folder is opened at first use, and again after a failure.
    """

    def __init__(self, config: JobsConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        self._directory = Path(config.directory) if config.directory else default_directory()
        self._files = JobFiles(self._directory)
        self._database: JobDatabase | None = None
        self._given_up = 0
        self._tidied_s = clock()
        self._sql_thread = ThreadPoolExecutor(1, thread_name_prefix="jobs-sql")
        self._file_threads = ThreadPoolExecutor(2, thread_name_prefix="jobs-files")

    async def check_room(self, size_bytes: int) -> None:
        """See ``JobStore``."""
        await self.sweep()
        await self._in_sql(lambda database: database.check_room(size_bytes))

    async def create(self, request: JobRequest, files: Sequence[SourceFile], page_count: int) -> Job:
        """See ``JobStore``."""
        fingerprint = await self._on_disk(lambda: _fingerprint(request, files))
        size_bytes = sum(len(file.data) for file in files)
        names = [file.name for file in files]
        submission = Submission(request, names, size_bytes, page_count, fingerprint)
        await self.sweep()
        earlier = await self._in_sql(lambda database: database.admit(submission))
        if earlier is not None:
            return earlier
        # A client that goes away now cannot know whether it has a job: it gets all of one.
        return await asyncio.shield(self._store_new(submission, files))

    async def _store_new(self, submission: Submission, files: Sequence[SourceFile]) -> Job:
        job_id = secrets.token_hex(16)
        await self._on_disk(lambda: self._files.write_documents(job_id, [file.data for file in files]))
        job = None
        try:
            job = await self._in_sql(lambda database: database.insert(job_id, submission))
        finally:
            if job is None or job.id != job_id:
                await self._on_disk(lambda: self._files.remove(job_id))
        return job

    async def find(self, job_id: str) -> Job:
        """See ``JobStore``."""
        return await self._in_sql(lambda database: database.find(job_id))

    async def files(self, job_id: str) -> list[SourceFile]:
        """See ``JobStore``."""
        names = await self._in_sql(lambda database: database.file_names(job_id))

        def read() -> list[bytes]:
            try:
                return self._files.read_documents(job_id, len(names))
            except FileNotFoundError as error:
                raise JobNotFound from error

        documents = await self._on_disk(read)
        return [SourceFile(data, name) for data, name in zip(documents, names, strict=True)]

    async def pages(self, job_id: str) -> list[PageResult]:
        """See ``JobStore``."""
        stored = await self._in_sql(lambda database: database.pages(job_id))
        return await self._on_disk(lambda: [load_page(page) for page in stored])

    async def result(self, job_id: str) -> StoredResult:
        """See ``JobStore``."""
        await self.find(job_id)

        def open_result() -> tuple[int, BinaryIO]:
            try:
                return self._files.open_result(job_id)
            except FileNotFoundError as error:
                raise JobNotFound from error

        size_bytes, file = await self._on_disk(open_result)
        return StoredResult(size_bytes, self._chunks(file))

    async def remove(self, job_id: str) -> None:
        """See ``JobStore``."""
        # A client that goes away now takes neither half of it along.
        await asyncio.shield(self._remove(job_id))

    async def _remove(self, job_id: str) -> None:
        await self._in_sql(lambda database: database.remove(job_id))
        await self._on_disk(lambda: self._files.remove(job_id))

    async def claim(self) -> Lease | None:
        """See ``JobStore``."""
        lease, given_up = await self._in_sql(lambda database: database.claim())
        self._given_up += len(given_up)
        for job_id in given_up:
            logger.error("job %s was given up: it was begun again and again without a page read", job_id)
            await self._on_disk(lambda job_id=job_id: self._files.remove(job_id))  # type: ignore[misc]
        return lease

    async def renew(self, lease: Lease) -> None:
        """See ``JobStore``."""
        await self._in_sql(lambda database: database.renew(lease))

    async def add_page(self, lease: Lease, page: PageResult) -> None:
        """See ``JobStore``."""
        data = await self._on_disk(lambda: dump_page(page))
        failed = _page_failure(page)
        await self._in_sql(lambda database: database.add_page(lease, page.index, data, failed))

    async def finish(self, lease: Lease, summary: Summary, result: bytes) -> None:
        """See ``JobStore``."""

        def write() -> None:
            try:
                self._files.write_result(lease.job.id, result, lease.token)
            except FileNotFoundError as error:
                raise LeaseLost(f"job {lease.job.id}") from error

        await self._on_disk(write)
        await self._in_sql(lambda database: database.finish(lease, summary, len(result)))

    async def fail(self, lease: Lease, failure: Failure) -> None:
        """See ``JobStore``."""
        await self._in_sql(lambda database: database.fail(lease, failure))
        await self._on_disk(lambda: self._files.remove(lease.job.id))

    async def release(self, lease: Lease) -> None:
        """See ``JobStore``."""
        await self._in_sql(lambda database: database.release(lease))

    async def sweep(self) -> None:
        """See ``JobStore``."""
        await asyncio.shield(self._sweep())

    async def _sweep(self) -> None:
        for job_id in await self._in_sql(self._unwanted):
            await self._on_disk(lambda job_id=job_id: self._files.remove(job_id))  # type: ignore[misc]

    async def usage(self) -> StoreUsage:
        """See ``JobStore``."""
        usage = await self._in_sql(lambda database: database.usage())
        return replace(usage, given_up=self._given_up)

    async def close(self) -> None:
        """See ``JobStore``."""
        self._file_threads.shutdown(wait=False)
        if self._database is not None:
            await asyncio.wrap_future(self._sql_thread.submit(self._database.close))
        self._sql_thread.shutdown(wait=False)

    def _unwanted(self, database: JobDatabase) -> list[str]:
        """Jobs whose files are to go: those that are over, and from time to time those of no job."""
        unwanted = list(database.sweep())
        if self._clock() >= self._tidied_s + _TIDY_EVERY_S:
            self._tidied_s = self._clock()
            unwanted += self._files.orphans(database.ids())
        return unwanted

    async def _in_sql(self, work: Callable[[JobDatabase], T]) -> T:
        def run() -> T:
            with self._translated():
                return work(self._opened())

        return await asyncio.get_running_loop().run_in_executor(self._sql_thread, run)

    async def _on_disk(self, work: Callable[[], T]) -> T:
        def run() -> T:
            with self._translated():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._file_threads, run)

    def _opened(self) -> JobDatabase:
        """The database; in its thread."""
        if self._database is not None and not self._database.is_in_place():
            logger.error("the jobs in %s: removed or replaced; beginning with what is there", self._directory)
            self._database.close()
            self._database = None
        if self._database is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = JobDatabase(self._directory / _FILE, self._config, self._clock)
            for job_id in self._files.orphans(self._database.ids()):
                self._files.remove(job_id)
        return self._database

    async def _chunks(self, file: BinaryIO) -> AsyncIterator[bytes]:
        with file:
            while chunk := await self._on_disk(lambda: read_chunk(file)):
                yield chunk

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Failures of the disk become ours; what is wrong with it stands in the log alone."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            logger.error("the jobs in %s: %s", self._directory, error)
            if _is_full(error):
                raise JobStorageFull("The disk that keeps the jobs is full.", _RETRY_S) from error
            raise JobsUnavailable("The store of jobs cannot be used.", _RETRY_S) from error


def default_directory() -> Path:
    """``scriptorium/jobs`` in the user's cache folder; in a temporary one for users without a home."""
    cache, home = os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~")
    if not os.path.isabs(cache):
        if os.path.isdir(home) and os.access(home, os.W_OK):
            cache = os.path.join(home, ".cache")
        else:
            cache = os.path.join(tempfile.gettempdir(), f"user-{os.getuid()}")
    return Path(cache) / "scriptorium" / "jobs"


def _fingerprint(request: JobRequest, files: Sequence[SourceFile]) -> str:
    """Of the files and the query: tells whether two submissions ask for the same."""
    digest = hashlib.sha256(request.query.model_dump_json().encode() + request.output.encode())
    for file in files:
        digest.update(
            hashlib.sha256(file.data).digest() + (file.name or "").encode("utf-8", "replace") + b"\0"
        )
    return digest.hexdigest()


def _page_failure(page: PageResult) -> PageFailure | None:
    if page.error is None:
        return None
    failure = Failure(page.error.code, page.error.public)
    number, file = (page.origin.number, page.origin.file) if page.origin else (page.index + 1, 1)
    return PageFailure(number, file, failure)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
