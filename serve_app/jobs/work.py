"""One job in hand: what is left of its document is read, each page kept at once, then its result written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from deployments.errors import OcrError
from serve_app.jobs.records import Failure, Job, Lease, Summary
from serve_app.jobs.store import JobStore
from serve_app.pages import SourceFile, SourcePage
from serve_app.reading import DocumentReader, timely
from serve_app.render.formats import Reading
from serve_app.results import PageResult, whole_document


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a job may go: pages in the stages at a time, and the longest wait for one, seconds."""

    pages_in_flight: int
    page_deadline_s: float


class JobWork:
    """Does a leased job. ``pages_done`` grows as pages are kept; ``run`` goes on from there."""

    def __init__(self, store: JobStore, documents: DocumentReader, lease: Lease, pace: Pace) -> None:
        self.pages_done = lease.job.pages_done
        self._store = store
        self._documents = documents
        self._lease = lease
        self._pace = pace

    async def run(self) -> Failure | None:
        """Read to the end and keep the result; the job fails as its first page did if all pages failed.

        Answers how it failed, None where it did not.

        Raises:
            LeaseLost: somebody else has the job.
            OcrError: as reading and the store do; pages kept so far stay.
        """
        job = self._lease.job
        files = await self._store.files(job.id)
        if self.pages_done < job.page_count:
            await self._read_pages(files)
        pages = await self._store.pages(job.id)
        try:
            summary = self._summary(pages)
        except OcrError as error:
            failure = Failure(error.code, error.public)
            await self._store.fail(self._lease, failure)
            return failure
        body = await self._documents.write_again(
            reading_of(job, pages, summary), job.request.output, files, job.request.query
        )
        await self._store.finish(self._lease, summary, body)
        return None

    async def _read_pages(self, files: Sequence[SourceFile]) -> None:
        request, done_before = self._lease.job.request, self.pages_done
        permits = asyncio.Semaphore(self._pace.pages_in_flight)
        async with await self._documents.open(lambda: files, request.query, request.output) as pages:
            pages.skip(done_before)
            async with (
                aclosing(permitted(pages, permits)) as few,
                aclosing(self._documents.stream(few, request.query)) as results,
                aclosing(timely(results, self._pace.page_deadline_s)) as in_time,
            ):
                async for page in in_time:
                    permits.release()
                    await self._store.add_page(self._lease, replace(page, index=done_before + page.index))
                    self.pages_done += 1

    def _summary(self, pages: Sequence[PageResult]) -> Summary:
        """Raises the error of the first page where every page failed."""
        document = whole_document(pages, self._documents.engines)
        # Clocks of machines differ, and may be set back.
        total_ms = round(max(time.time() - self._lease.job.created_s, 0.0) * 1000, 2)
        return Summary(document.engines, {**document.timings_ms, "total": total_ms})


def reading_of(job: Job, pages: Sequence[PageResult], summary: Summary) -> Reading:
    """What a job read, as it is written in any format."""
    request = job.request
    document = whole_document(pages, summary.engines)
    return Reading(document, request.request_id, summary.timings_ms, request.query.words)


async def permitted(
    pages: AsyncIterator[SourcePage], permits: asyncio.Semaphore
) -> AsyncGenerator[SourcePage]:
    """Pages, each with a permit that whoever uses it must give back."""
    while True:
        await permits.acquire()
        page = await anext(pages, None)
        if page is None:
            return
        yield page
        # It would be held while the next one waits for room.
        del page
