"""A process that reads jobs, as far as its store and its runner go. Nobody really sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from serve_app.jobs.config import JobsConfig
from serve_app.jobs.records import Job, JobState
from serve_app.jobs.runner import JobRunner
from serve_app.jobs.sqlite_store import SqliteJobStore
from serve_app.observer import Unobserved
from serve_app.pages import SourceFile
from serve_app.reading import DocumentReader
from tests.api_client import THREE_PAGES, Bounds
from tests.jobs import Disk, request
from tests.readers import InkReader

LEASE_S = 30.0


@dataclass
class Naps:
    """A sleep that lasts until the test lets it end; those that ``skip`` holds for end at once."""

    asked_s: list[float] = field(default_factory=list)
    skip: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, seconds: float) -> None:
        self.asked_s.append(seconds)
        if seconds > self.skip:
            await self.over.wait()


@dataclass
class JobObserver(Unobserved):
    """Keeps what it is told of jobs that fail."""

    failed: list[str] = field(default_factory=list)

    def job_failed(self, code: str) -> None:
        self.failed.append(code)


@dataclass
class Replica:
    """One process that reads jobs."""

    store: SqliteJobStore
    runner: JobRunner
    naps: Naps
    observer: JobObserver
    running: asyncio.Task[None]

    async def ended(self, job: Job, state: JobState = JobState.SUCCEEDED) -> Job:
        async with asyncio.timeout(120):
            while not (found := await self.store.find(job.id)).is_finished:
                await asyncio.sleep(0)
        assert found.state is state, found.failure
        return found

    async def told(self) -> list[str]:
        """What the observer is told of jobs that fail, once there is something: after the store has it."""
        async with asyncio.timeout(60):
            while not self.observer.failed:
                await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        return self.observer.failed

    async def kill(self) -> None:
        """End as a killed process does: nothing is released."""

        async def nothing(lease: Any) -> None:
            pass

        self.store.release = nothing  # type: ignore[method-assign]
        await self.stop()

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@asynccontextmanager
async def replica(disk: Disk, reader: InkReader, **options: Any) -> AsyncIterator[Replica]:
    deadline_s = options.pop("page_deadline_s", 30.0)
    observer = JobObserver()
    store, naps = disk.store(**options), Naps()
    documents = DocumentReader(reader, Bounds())
    config = JobsConfig(directory=str(disk.directory), **options)
    runner = JobRunner(store, documents, config, deadline_s, observer, sleep=naps)
    made = Replica(store, runner, naps, observer, asyncio.create_task(runner.run()))
    try:
        yield made
    finally:
        await made.stop()
        documents.close()
        await store.close()


async def submit(disk: Disk, data: bytes = THREE_PAGES, pages: int = 3, **fields: Any) -> Job:
    store = disk.store()
    job = await store.create(request(**fields), [SourceFile(data, "scan.tif")], pages)
    await store.close()
    return job
