"""The bound of all decoded pages together, and that nobody waits for ever because of it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any, ClassVar, TypeVar

import pytest
from pydantic import ValidationError

from deployments.errors import Overloaded, StageFailed
from deployments.geometry import quad_from_box
from deployments.types import Kind, PageLines, TextLine
from serve_app.config import Limits, PipelineOptions
from serve_app.decoding.memory import Holder, PageMemory
from serve_app.decoding.protocols import PageRoom
from serve_app.jobs.work import permitted
from serve_app.lookahead import PageStream
from serve_app.pages import SourcePage
from serve_app.picturing import Picturing
from serve_app.pipeline import Detect, OcrPipeline, Recognise, Recogniser
from serve_app.reader import ReadOptions
from serve_app.render.images import PageImage, page_image
from tests.api_client import Bounds
from tests.in_process import Slow

T = TypeVar("T")
HandOn = Callable[[AsyncIterator[SourcePage]], AsyncIterator[SourcePage]]

PAGE_BYTES = 120_000  # of Bounds' max_pixels


def memory_of(pages: float) -> PageMemory:
    return PageMemory(Bounds(max_decoded_bytes=int(pages * PAGE_BYTES)))


async def soon(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, 120)


async def stepped() -> None:
    """Everything has run that does not wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_page_waits_until_another_is_let_go() -> None:
    memory = memory_of(2)
    first, second = await memory.take(Holder()), await memory.take(Holder())
    third = asyncio.ensure_future(memory.take(Holder()))
    await stepped()
    assert not third.done()
    second.free()
    await soon(third)
    first.free()
    await soon(memory.take(Holder()))


async def test_what_a_page_does_not_need_goes_to_others_at_once() -> None:
    memory = memory_of(2)
    small = [await memory.take(Holder())]
    for _ in range(8):
        small[-1].shrink(PAGE_BYTES // 100)
        small.append(await soon(memory.take(Holder())))
    assert not await is_free(memory)


async def test_memory_comes_back_once_however_often_it_is_freed() -> None:
    memory = memory_of(1)
    room = await memory.take(Holder())
    for _ in range(3):
        room.free()
        room.shrink(PAGE_BYTES)
    await memory.take(Holder())
    assert not await is_free(memory)


async def is_free(memory: PageMemory) -> bool:
    """Whether there is room for a page; it is not kept."""
    taking = asyncio.ensure_future(memory.take(Holder()))
    await stepped()
    if not taking.done():
        taking.cancel()
        return False
    taking.result().free()
    return True


async def test_other_threads_let_pages_go() -> None:
    memory = memory_of(1)
    room = await memory.take(Holder())
    waiting = asyncio.ensure_future(memory.take(Holder()))
    await stepped()
    thread = threading.Thread(target=room.free)
    thread.start()
    await soon(waiting)
    thread.join()


async def test_documents_without_a_page_come_first() -> None:
    memory, many, order = memory_of(2), Holder(), list[str]()

    async def take(name: str, holder: Holder) -> None:
        await memory.take(holder)
        order.append(name)

    rooms = [await memory.take(many), await memory.take(many)]
    waiting = [
        asyncio.ensure_future(take(name, holder))
        for name, holder in (("third of many", many), ("first", Holder()), ("other first", Holder()))
    ]
    await stepped()
    rooms.pop().free()
    await stepped()
    assert order == ["first"]
    # With none left it is a document without a page, and came before the other.
    rooms.pop().free()
    await stepped()
    assert order == ["first", "third of many"]
    waiting[2].cancel()


@pytest.mark.parametrize("granted", [False, True], ids=["while it waits", "when its turn just came"])
async def test_a_cancelled_wait_leaves_nothing_taken(granted: bool) -> None:
    memory = memory_of(1)
    room = await memory.take(Holder())
    waiting = asyncio.ensure_future(memory.take(Holder()))
    await stepped()
    if granted:
        room.free()
        # The callback that gives the turn runs; the task that waits for it has not.
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    room.free()
    await soon(memory.take(Holder()))


class Counted(Slow):
    """Documents whose pages are counted, from before they are decoded until they are let go."""

    held: ClassVar[set[PageRoom]] = set()
    most_held: ClassVar[int] = 0

    def read(self, index: int, room: PageRoom) -> SourcePage:
        Counted.held.add(room)
        Counted.most_held = max(Counted.most_held, len(Counted.held))
        return super().read(index, Largest(room))


class Largest:
    """Room of a page that needs all of it."""

    def __init__(self, room: PageRoom) -> None:
        self._room = room

    def shrink(self, size_bytes: int) -> None:
        pass

    def free(self) -> None:
        Counted.held.discard(self._room)
        self._room.free()


async def no_lines(pages: list[Any]) -> list[Any]:
    await asyncio.sleep(0)
    return [PageLines(()) for _ in pages]


async def one_line(pages: list[Any]) -> list[Any]:
    return [PageLines((TextLine(quad_from_box((1, 1, 6, 6)), 1.0),)) for _ in pages]


async def failing(items: list[Any]) -> list[Any]:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        raise StageFailed("The stage failed") from error


async def failing_each(items: list[Any]) -> list[Any]:
    return [StageFailed("The model failed") for _ in items]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Pages that only the collector of cycles would let go are not let go."""
    gc.disable()
    yield
    gc.enable()


def as_they_come(pages: AsyncIterator[SourcePage]) -> AsyncIterator[SourcePage]:
    return pages


def pictured(pages: AsyncIterator[SourcePage]) -> AsyncIterator[SourcePage]:
    async def make(page: SourcePage) -> PageImage:
        return await asyncio.to_thread(page_image, page)

    return Picturing(pages, make, lambda *_: None)


def of_a_job(pages: AsyncIterator[SourcePage]) -> AsyncIterator[SourcePage]:
    return permitted(pages, asyncio.Semaphore(13))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("handed_on", [as_they_come, pictured, of_a_job])
@pytest.mark.parametrize(
    ("pages", "detect", "read"),
    [
        (1, no_lines, no_lines),
        (3, no_lines, no_lines),
        (1, failing, no_lines),
        (1, failing_each, no_lines),
        (1, one_line, failing),
        (1, one_line, failing_each),
    ],
    ids=["one page", "few pages", "no detection", "failed pages", "no recognition", "failed lines"],
)
async def test_many_long_documents_are_read_with_room_for_few_pages(
    pages: int, detect: Detect, read: Recognise, handed_on: HandOn
) -> None:
    Counted.held, Counted.most_held = set(), 0
    memory = memory_of(pages)
    pipeline = OcrPipeline(
        detect, failing_each, {kind: Recogniser("none", read) for kind in Kind}, PipelineOptions()
    )

    async def results() -> int:
        document = Counted(page_count=12)
        document.go.set()
        async with PageStream(document, workers, memory) as stream:
            return len([result async for result in pipeline.stream(handed_on(stream), ReadOptions())])

    with ThreadPoolExecutor(4) as workers:
        read_pages = await asyncio.wait_for(asyncio.gather(*(results() for _ in range(6))), 120)
    assert read_pages == [12] * 6
    # A thread lets go of what it looked at a moment after it has answered.
    await asyncio.get_running_loop().shutdown_default_executor()
    assert 1 <= Counted.most_held <= pages and not Counted.held


async def busy(items: list[Any]) -> list[Any]:
    raise Overloaded("Full.")


async def endless(items: list[Any]) -> list[Any]:
    return await asyncio.Event().wait() or []


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("detect", "read"),
    [(busy, no_lines), (one_line, busy), (endless, no_lines), (one_line, endless)],
    ids=["refused pages", "refused lines", "detection withdrawn", "recognition withdrawn"],
)
async def test_documents_that_end_early_let_their_pages_go(detect: Detect, read: Recognise) -> None:
    Counted.held = set()
    memory, document = memory_of(1), Counted()
    document.go.set()
    recognisers = {kind: Recogniser("none", read) for kind in Kind}
    pipeline = OcrPipeline(detect, failing_each, recognisers, PipelineOptions())

    async def results() -> None:
        async with (
            PageStream(document, workers, memory) as stream,
            aclosing(pipeline.stream(stream, ReadOptions())) as reading,
        ):
            await anext(reading)

    with ThreadPoolExecutor(1) as workers:
        with suppress(TimeoutError, Overloaded):
            await asyncio.wait_for(results(), 2)
        await soon(memory.take(Holder()))
    assert document.begun[0] == 0 and document.log[-1] == "close" and not Counted.held


@pytest.mark.usefixtures("no_collector")
async def test_a_page_that_is_decoded_for_nobody_is_let_go() -> None:
    Counted.held = set()
    memory, document = memory_of(1), Counted()
    with ThreadPoolExecutor(1) as workers:
        async with PageStream(document, workers, memory) as stream:
            reading = asyncio.ensure_future(anext(stream))
            while not document.begun:
                await asyncio.sleep(0)
            reading.cancel()
        document.go.set()
        await soon(memory.take(Holder()))
    assert document.log == ["read 0", "close"] and not Counted.held


def test_the_bound_holds_a_page_at_least() -> None:
    assert Limits(max_pixels=100, max_decoded_bytes=300).max_decoded_bytes == 300
    with pytest.raises(ValidationError, match="max_decoded_bytes must be at least 3"):
        Limits(max_pixels=101, max_decoded_bytes=302)
    assert Limits().max_decoded_bytes >= 4 * 3 * Limits().max_pixels
