"""Where jobs live: what any store must do, and how the configured one is found."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serve_app.jobs.config import JobsConfig
from serve_app.jobs.records import Failure, Job, JobRequest, Lease, StoreUsage, Summary
from serve_app.pages import SourceFile
from serve_app.results import PageResult


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The bytes of a result, which may be many; ``chunks`` must be read to its end, or closed."""

    size_bytes: int
    chunks: AsyncIterator[bytes]


class JobStore(Protocol):
    """Keeps jobs. Several processes use one store at the same time; every method is atomic.

    Every method raises ``JobsUnavailable`` when the store does not answer; those that take a lease
    raise ``LeaseLost`` when it is no longer the job's, and then have changed nothing.
    """

    async def check_room(self, size_bytes: int) -> None:
        """Look whether there is room for a new job of ``size_bytes``, without taking it.

        Raises TooManyJobs, JobStorageFull, as ``create`` would.
        """
        ...

    async def create(self, request: JobRequest, files: Sequence[SourceFile], page_count: int) -> Job:
        """Store a new job; durable once this returns.

        With an idempotency key that its owner has used for the same files and query, that earlier
        job is the answer.

        Raises:
            TooManyJobs, JobStorageFull: a limit is reached; ``retry_after_s`` says when space comes.
            IdempotencyKeyReused: the key came with another request before.
        """
        ...

    async def find(self, job_id: str) -> Job:
        """A job. Raises JobNotFound, and JobExpired for a while after it expired."""
        ...

    async def files(self, job_id: str) -> list[SourceFile]:
        """The files as they were sent. Raises as ``find``; a failed job has none any more."""
        ...

    async def pages(self, job_id: str) -> list[PageResult]:
        """The pages read so far, in order. Raises as ``find``; a failed job has none any more."""
        ...

    async def result(self, job_id: str) -> StoredResult:
        """The result of a job that succeeded. Raises as ``find``."""
        ...

    async def remove(self, job_id: str) -> None:
        """Remove a job with all that belongs to it, whatever its state; its lease is lost."""
        ...

    async def claim(self) -> Lease | None:
        """Lease the oldest job that is unfinished and that nobody holds; None if there is none.

        A job that was claimed ``max_attempts`` times since its last page fails as ``job_abandoned``.
        """
        ...

    async def renew(self, lease: Lease) -> None:
        """Hold a job for another ``lease_s``."""
        ...

    async def add_page(self, lease: Lease, page: PageResult) -> None:
        """Keep a page, the next one by its ``index``. Raises JobStorageFull."""
        ...

    async def finish(self, lease: Lease, summary: Summary, result: bytes) -> None:
        """The job succeeded; ends the lease. Raises JobStorageFull."""
        ...

    async def fail(self, lease: Lease, failure: Failure) -> None:
        """The job failed; frees its space, ends the lease."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let somebody else go on with the job at once; no attempt is counted."""
        ...

    async def sweep(self) -> None:
        """Remove what has expired."""
        ...

    async def usage(self) -> StoreUsage:
        """What is stored now."""
        ...

    async def close(self) -> None:
        """Free connections; leases run out by themselves."""
        ...


StoreFactory = Callable[[JobsConfig], JobStore]


def open_store(config: JobsConfig) -> JobStore:
    """The store that the configuration names. Opens nothing yet.

    Raises:
        ValueError: the import path leads nowhere.
    """
    path = "serve_app.jobs.sqlite_store:SqliteJobStore" if config.store == "sqlite" else config.store
    module, _, name = path.partition(":")
    try:
        factory: StoreFactory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"jobs.store: {path} cannot be imported: {error}") from error
    return factory(config)
