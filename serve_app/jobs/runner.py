"""Reads jobs in the background: a few at a time, held by leases, tried again if that may help."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from deployments.errors import DeadlineExceeded, OcrError, RetryLater
from deployments.tracing import span
from serve_app import problems
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.errors import JobAbandoned, JobStorageFull, LeaseLost
from serve_app.jobs.records import Failure, Lease, StoreUsage
from serve_app.jobs.store import JobStore
from serve_app.jobs.work import JobWork, Pace
from serve_app.observer import Observer, Unobserved
from serve_app.reading import DocumentReader

logger = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

# A lease is renewed, and abandoned jobs are looked for, so often within its time.
_LOOKS_PER_LEASE = 3
_SWEEP_EVERY_S = 30.0
_LONGEST_WAIT_S = 30.0


class JobRunner:
    """Takes jobs from a store, those first that wait longest, and those that other processes left.

    ``observer`` is told what the store holds every now and then, and of jobs that fail.
    """

    def __init__(
        self,
        store: JobStore,
        documents: DocumentReader,
        config: JobsConfig,
        page_deadline_s: float,
        observer: Observer | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._documents = documents
        self._config = config
        self._pace = Pace(config.pages_in_flight, page_deadline_s)
        self._observer = observer or Unobserved()
        self._given_up = 0
        self._sleep = sleep
        self._look_every_s = config.lease_s / _LOOKS_PER_LEASE
        self._news = asyncio.Event()
        self._in_hand: dict[str, asyncio.Future[None]] = {}

    async def run(self) -> None:
        """Work until cancelled; the jobs in hand are then left to others."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._config.concurrent_jobs):
                group.create_task(self._work())
            group.create_task(self._sweep())

    def wake(self) -> None:
        """There is a new job."""
        self._news.set()

    def drop(self, job_id: str) -> None:
        """Stop work on a removed job, if it is in hand here; other processes see it by its lease."""
        if job_id in self._in_hand:
            self._in_hand[job_id].cancel()

    async def _work(self) -> None:
        while True:
            self._news.clear()
            lease = await self._claimed()
            if lease is not None:
                try:
                    await self._do(lease)
                except Exception:
                    logger.exception("job %s: its runner failed", lease.job.id)
                continue
            try:
                async with asyncio.timeout(self._look_every_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _claimed(self) -> Lease | None:
        try:
            return await self._store.claim()
        except OcrError as error:
            logger.warning("no job can be claimed: %s", error.public)
        except Exception:
            logger.exception("no job can be claimed")
        return None

    async def _do(self, lease: Lease) -> None:
        """Work on a job while its lease holds."""
        job_id = lease.job.id
        if lease.job.pages_done:
            logger.info("job %s: going on after page %d", job_id, lease.job.pages_done)
        with span("job", job=job_id):
            reading = asyncio.ensure_future(self._read(lease))
            holding = asyncio.ensure_future(self._hold(lease))
        self._in_hand[job_id] = reading
        try:
            await asyncio.wait({reading, holding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._in_hand[job_id]
            unfinished = not reading.done()
            reading.cancel()
            holding.cancel()
            await asyncio.gather(reading, holding, return_exceptions=True)
            if unfinished:
                await self._release(lease)

    async def _hold(self, lease: Lease) -> None:
        """Renew the lease; returns when it is lost."""
        while True:
            await self._sleep(self._look_every_s)
            try:
                await self._store.renew(lease)
            except LeaseLost:
                logger.info("job %s: removed, or in other hands", lease.job.id)
                return
            except OcrError as error:
                logger.warning("job %s: its lease was not renewed: %s", lease.job.id, error.public)

    async def _read(self, lease: Lease) -> None:
        work = JobWork(self._store, self._documents, lease, self._pace)
        retries = 0
        while True:
            done_before = work.pages_done
            try:
                if failure := await work.run():
                    self._observer.job_failed(failure.code)
                return
            except LeaseLost:
                logger.info("job %s: removed, or in other hands", lease.job.id)
                return
            except (RetryLater, DeadlineExceeded) as error:
                retries = 1 if work.pages_done > done_before else retries + 1
                if retries > self._config.max_retries or isinstance(error, JobStorageFull):
                    await self._fail(lease, error)
                    return
                await self._sleep(_wait_s(error, retries))
            except Exception as error:
                await self._fail(lease, error)
                return

    async def _fail(self, lease: Lease, error: Exception) -> None:
        if isinstance(error, OcrError):
            logger.warning("job %s: %s", lease.job.id, problems.for_log(error))
            failure = Failure(error.code, error.public)
        else:
            logger.error("job %s failed", lease.job.id, exc_info=error)
            failure = Failure(problems.INTERNAL.code, "The service failed unexpectedly.")
        try:
            await self._store.fail(lease, failure)
            self._observer.job_failed(failure.code)
        except (LeaseLost, OcrError) as second:
            # Once its lease has run out the job is claimed again, at most ``max_attempts`` times.
            logger.warning("job %s: its failure was not kept: %r", lease.job.id, second)

    async def _release(self, lease: Lease) -> None:
        try:
            await self._store.release(lease)
        except (LeaseLost, OcrError) as error:
            logger.info("job %s was not released: %r", lease.job.id, error)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._store.sweep()
                self._tell(await self._store.usage())
            except OcrError as error:
                logger.warning("expired jobs are not removed: %s", error.public)
            except Exception:
                logger.exception("expired jobs are not removed")
            await self._sleep(_SWEEP_EVERY_S)

    def _tell(self, usage: StoreUsage) -> None:
        self._observer.jobs_stored(usage)
        for _ in range(usage.given_up - self._given_up):
            self._observer.job_failed(JobAbandoned.code)
        self._given_up = usage.given_up


def _wait_s(error: OcrError, retries: int) -> float:
    asked_s = error.retry_after_s if isinstance(error, RetryLater) else 0.0
    return min(max(asked_s, 2.0 ** (retries - 1)), _LONGEST_WAIT_S)
