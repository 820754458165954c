"""What can be done with jobs, for whoever asks: submit, look, fetch, remove. Knows no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployments.errors import InvalidParameter, Overloaded
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.errors import JobNotFinished, JobNotFound
from serve_app.jobs.records import Job, JobRequest, JobState, Summary
from serve_app.jobs.runner import JobRunner
from serve_app.jobs.store import StoredResult, open_store
from serve_app.jobs.work import reading_of
from serve_app.observer import Observer
from serve_app.reading import DocumentReader, Files
from serve_app.render.formats import WITH_IMAGES
from serve_app.schemas import OcrQuery, OutputFormat

# How long a client had best wait before it looks again, seconds.
LOOK_AGAIN_S = 2.0
# Results that are asked for in another format at a time: one is written, the others wait. Each takes its
# whole document, and of the threads that write again one is left to jobs that end.
MOST_REWRITTEN = 4


class Jobs:
    """The jobs of a service: a store, and a runner in this process.

    ``page_deadline_s`` is how long the wait for a page of a job may be, seconds.
    """

    def __init__(
        self,
        documents: DocumentReader,
        config: JobsConfig,
        page_deadline_s: float,
        observer: Observer | None = None,
    ) -> None:
        self.config = config
        self._store = open_store(config)
        self._rewriting = asyncio.Lock()
        self._rewritten = 0
        self._documents = documents
        self._runner = JobRunner(self._store, documents, config, page_deadline_s, observer)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Jobs are read while this is open."""
        running = asyncio.create_task(self._runner.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self._store.close()

    def check(self, query: OcrQuery) -> None:
        """Raise InvalidParameter where no job can do what ``query`` asks for."""
        if query.progress or query.pictures:
            raise InvalidParameter("progress, pictures: a job has no stream that could tell them.")
        self._documents.check(query)

    async def refuse_if_full(self, size_bytes: int) -> None:
        """Refuse a new job of ``size_bytes`` while it is unread. Raises as ``JobStore.check_room``."""
        await self._store.check_room(size_bytes)

    async def submit(self, request: JobRequest, files: Files) -> Job:
        """Take a document, once it is known to be one.

        Raises the errors of ``check``, of opening documents, and those of ``JobStore.create``.
        """
        self.check(request.query)
        pages = await self._documents.open(files, request.query, request.output)
        pages.close()
        job = await self._store.create(request, files(), pages.page_count)
        self._runner.wake()
        return job

    async def find(self, job_id: str, owner: str) -> Job:
        """A job of ``owner``. Raises JobNotFound, also for those of others, and JobExpired."""
        job = await self._store.find(job_id)
        if job.request.owner != owner:
            raise JobNotFound
        return job

    async def result(self, job: Job, output: OutputFormat) -> StoredResult | bytes:
        """The result of a job that did not fail: as it was stored, or written in another format.

        Raises JobNotFinished; InvalidParameter: the format shows one page, and there are more; Overloaded:
        too many results are being written in other formats.
        """
        if job.state is not JobState.SUCCEEDED or job.summary is None:
            raise JobNotFinished(f"{job.pages_done} of {job.page_count} pages are read.", LOOK_AGAIN_S)
        if output is job.request.output:
            return await self._store.result(job.id)
        if self._rewritten >= MOST_REWRITTEN:
            raise Overloaded(
                "Other results are being written in another format than their own.", LOOK_AGAIN_S
            )
        self._rewritten += 1
        try:
            async with self._rewriting:
                return await self._write_again(job, job.summary, output)
        finally:
            self._rewritten -= 1

    async def _write_again(self, job: Job, summary: Summary, output: OutputFormat) -> bytes:
        reading = reading_of(job, await self._store.pages(job.id), summary)
        files = await self._store.files(job.id) if output in WITH_IMAGES else []
        return await self._documents.write_again(reading, output, files, job.request.query)

    async def remove(self, job: Job) -> None:
        """Stop work on a job and remove what there is of it."""
        await self._store.remove(job.id)
        self._runner.drop(job.id)
