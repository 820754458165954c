"""Jobs in the background, over the embedded store and a reader without models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from serve_app.jobs.errors import JobNotFound
from serve_app.jobs.records import JobState
from serve_app.results import PageResult
from tests.job_replica import LEASE_S, replica, submit
from tests.jobs import Clock, Disk
from tests.readers import InkReader


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "jobs", Clock())


class Stepping(InkReader):
    """Reads on when it is let; ``begun`` says how many pages it has taken up."""

    permits: asyncio.Semaphore
    begun: asyncio.Semaphore

    async def stream(self, pages: Any, options: Any) -> Any:
        async for result in InkReader.stream(self, self._taken(pages), options):
            await self.permits.acquire()
            yield result

    async def _taken(self, pages: Any) -> Any:
        async for page in pages:
            self.begun.release()
            yield page


def stepping(permits: int) -> Stepping:
    reader = Stepping()
    reader.permits, reader.begun = asyncio.Semaphore(permits), asyncio.Semaphore(0)
    return reader


async def test_a_job_is_read_to_its_end(disk: Disk) -> None:
    job = await submit(disk)
    async with replica(disk, InkReader()) as one:
        found = await one.ended(job)
        pages = await one.store.pages(job.id)
    assert (found.pages_done, found.page_count) == (3, 3)
    assert [(page.index, page.origin and page.origin.number) for page in pages] == [(0, 1), (1, 2), (2, 3)]
    assert found.summary is not None
    assert found.summary.engines == {"detection": "ink"}
    assert set(found.summary.timings_ms) == {"decode", "detection", "total"}


async def test_a_killed_process_leaves_its_job_to_another_which_reads_what_is_left(disk: Disk) -> None:
    job = await submit(disk)
    first, second = stepping(2), InkReader()
    async with replica(disk, first) as dying:
        async with asyncio.timeout(120):
            while (await dying.store.find(job.id)).pages_done < 2:
                await asyncio.sleep(0)
        await dying.kill()
    disk.clock.now_s += LEASE_S
    async with replica(disk, second) as heir:
        await heir.ended(job)
        pages = await heir.store.pages(job.id)
    assert len(second.shapes) == 1
    assert [(page.index, page.origin and page.origin.number) for page in pages] == [(0, 1), (1, 2), (2, 3)]


async def test_a_process_that_stops_gives_its_job_back_at_once(disk: Disk) -> None:
    job = await submit(disk)
    async with replica(disk, stepping(1)) as leaving:
        async with asyncio.timeout(120):
            while (await leaving.store.find(job.id)).pages_done < 1:
                await asyncio.sleep(0)
    async with replica(disk, InkReader()) as heir:
        await heir.ended(job)


async def test_two_processes_do_every_job_once(disk: Disk) -> None:
    jobs = [await submit(disk) for _ in range(6)]
    readers = InkReader(), InkReader()
    async with replica(disk, readers[0]) as one, replica(disk, readers[1]):
        for job in jobs:
            await one.ended(job)
    assert len(readers[0].calls) + len(readers[1].calls) == 6


async def test_a_removed_job_is_put_down(disk: Disk) -> None:
    reader = InkReader(gate=asyncio.Event())
    job = await submit(disk)
    async with replica(disk, reader) as one:
        await asyncio.wait_for(reader.started.wait(), 120)
        await one.store.remove(job.id)
        one.runner.drop(job.id)
        one.runner.drop("unknown")
        async with asyncio.timeout(120):
            while not reader.cancelled:
                await asyncio.sleep(0)
        reader.gate = None
        following = await submit(disk)
        one.runner.wake()
        await one.ended(following)


async def test_a_job_removed_elsewhere_is_put_down_when_its_lease_is_renewed(disk: Disk) -> None:
    reader = InkReader(gate=asyncio.Event())
    job = await submit(disk)
    async with replica(disk, reader) as one:
        await asyncio.wait_for(reader.started.wait(), 120)
        await disk.store().remove(job.id)
        assert reader.cancelled == 0
        async with asyncio.timeout(120):
            while not reader.cancelled:
                one.naps.over.set()
                await asyncio.sleep(0)
    with pytest.raises(JobNotFound):
        await disk.store().find(job.id)


async def test_so_many_jobs_are_read_at_a_time_as_may_be(disk: Disk) -> None:
    reader = InkReader(gate=asyncio.Event())
    jobs = [await submit(disk) for _ in range(3)]
    async with replica(disk, reader, concurrent_jobs=2) as one:
        async with asyncio.timeout(120):
            while len(reader.calls) < 2:
                await asyncio.sleep(0)
        states = [(await one.store.find(job.id)).state for job in jobs]
        assert states == [JobState.RUNNING, JobState.RUNNING, JobState.QUEUED]
        assert reader.gate is not None
        reader.gate.set()
        for job in jobs:
            await one.ended(job)


class Greedy(InkReader):
    """Takes all pages that it can get before it answers the first; ``most`` counts them."""

    most: int = 0

    async def stream(self, pages: Any, options: Any) -> Any:
        taken: asyncio.Queue[Any] = asyncio.Queue()

        async def take() -> None:
            async for page in pages:
                await taken.put(page)
                self.most = max(self.most, taken.qsize())
            await taken.put(None)

        taking = asyncio.create_task(take())
        for _ in range(200):
            await asyncio.sleep(0)
        index = 0
        while (page := await taken.get()) is not None:
            yield PageResult(index, 200, 100, origin=page.origin)
            index += 1
        await taking


async def test_few_pages_of_a_job_are_in_the_stages(disk: Disk) -> None:
    job, reader = await submit(disk), Greedy()
    async with replica(disk, reader, pages_in_flight=1) as one:
        await one.ended(job)
    assert reader.most == 1


async def test_a_new_job_is_begun_when_it_comes(disk: Disk) -> None:
    async with replica(disk, InkReader(), lease_s=10_000) as one:
        async with asyncio.timeout(120):
            while not one.naps.asked_s:
                await asyncio.sleep(0)
        job = await submit(disk)
        one.runner.wake()
        await one.ended(job)
