from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import PIL.Image
import pytest

from deployments.errors import InputError, UnreadableDocument, UnsupportedFormat
from serve_app.decoding.memory import Holder, PageMemory
from serve_app.decoding.protocols import PageRoom
from serve_app.lookahead import PageStream, open_pages
from serve_app.pages import DocumentOptions, SourceFile, SourcePage
from tests.api_client import THREE_PAGES, Bounds
from tests.in_process import InProcessDecoders, Slow


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


async def opening_of(
    files: Callable[[], list[SourceFile]],
    decoders: InProcessDecoders | None = None,
    on_close: Callable[[], None] = lambda: None,
) -> PageStream:
    decoders = decoders or InProcessDecoders()
    return await open_pages(files, Bounds(), DocumentOptions(), decoders, PageMemory(Bounds()), on_close)


async def test_one_page_is_decoded_ahead_and_no_more(workers: ThreadPoolExecutor) -> None:
    document = Slow()
    document.go.set()
    async with PageStream(document, workers, PageMemory(Bounds())) as pages:
        assert pages.page_count == 5 and document.begun == []
        first = await anext(pages)
        second = await anext(pages)
        assert [first.origin.number, second.origin.number] == [1, 2]
        assert set(document.begun) <= {0, 1, 2}
    workers.shutdown()
    assert document.log[-1] == "close" and "read 3" not in document.log


async def test_all_pages_come_in_order() -> None:
    async with await open_pages(
        lambda: [SourceFile(THREE_PAGES)],
        Bounds(),
        DocumentOptions(),
        InProcessDecoders(),
        PageMemory(Bounds()),
    ) as pages:
        assert [page.origin.number async for page in pages] == [1, 2, 3]


async def test_closing_waits_for_nothing_and_frees_the_file_after_the_page_in_hand(
    workers: ThreadPoolExecutor,
) -> None:
    document = Slow()
    async with PageStream(document, workers, PageMemory(Bounds())) as pages:
        waiting = asyncio.ensure_future(anext(pages))
        while not document.begun:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert document.log == []
    document.go.set()
    workers.shutdown()
    assert document.log == ["read 0", "close"]


async def test_errors_of_opening_and_of_pages_reach_the_caller() -> None:
    decoders = InProcessDecoders()
    with pytest.raises(UnsupportedFormat):
        await open_pages(
            lambda: [SourceFile(b"hello")], Bounds(), DocumentOptions(), decoders, PageMemory(Bounds())
        )
    noise = np.random.default_rng(5).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(noise).save(stream, "PNG")
    half = SourceFile(stream.getvalue()[:9000])
    async with await open_pages(
        lambda: [half], Bounds(), DocumentOptions(), decoders, PageMemory(Bounds())
    ) as pages:
        with pytest.raises(UnreadableDocument):
            await anext(pages)


async def test_a_page_that_waits_for_memory_ends_with_its_document(workers: ThreadPoolExecutor) -> None:
    memory, document = PageMemory(Bounds(max_decoded_bytes=120_000)), Slow()
    taken = await memory.take(Holder())
    async with PageStream(document, workers, memory) as pages:
        waiting = asyncio.ensure_future(anext(pages))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(memory._waiting) == 1 and document.begun == []
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert document.log == ["close"]
    taken.free()
    await asyncio.wait_for(memory.take(Holder()), 120)


async def test_pages_that_cannot_be_read_give_their_memory_back(workers: ThreadPoolExecutor) -> None:
    class Damaged(Slow):
        def read(self, index: int, room: PageRoom) -> SourcePage:
            raise UnreadableDocument("damaged")

    memory = PageMemory(Bounds(max_decoded_bytes=120_000))
    for _ in range(3):
        async with PageStream(Damaged(), workers, memory) as pages:
            with pytest.raises(UnreadableDocument):
                await asyncio.wait_for(anext(pages), 120)


async def test_a_cancelled_opening_closes_what_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    document, begun, go = Slow(), Event(), Event()
    decoders = InProcessDecoders()

    def opened(*_: object) -> Any:
        begun.set()
        assert go.wait(120)
        return document

    monkeypatch.setattr(decoders, "open", opened)
    opening = asyncio.ensure_future(opening_of(list, decoders))
    while not begun.is_set():
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    go.set()
    decoders.workers.shutdown()
    assert document.log == ["close"]


async def test_whoever_waits_for_a_document_to_be_closed_is_told_once() -> None:
    closed: list[str] = []
    pages = await opening_of(lambda: [SourceFile(THREE_PAGES)], on_close=lambda: closed.append("closed"))
    assert closed == []
    pages.close()
    pages.close()
    assert closed == ["closed"]


async def test_whoever_waits_for_a_document_is_told_that_it_cannot_be_opened() -> None:
    closed: list[str] = []
    with pytest.raises(InputError):
        await opening_of(lambda: [SourceFile(b"no picture")], on_close=lambda: closed.append("closed"))
    assert closed == ["closed"]
