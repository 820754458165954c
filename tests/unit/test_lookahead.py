from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, cast

import numpy as np
import PIL.Image
import pytest

from deployments.errors import InputError, UnreadableDocument, UnsupportedFormat
from serve_app.lookahead import PageStream, open_pages
from serve_app.pages import DocumentOptions, SourceFile
from tests.api_client import THREE_PAGES, Bounds
from tests.in_process import InProcessDecoders, Slow


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


async def test_one_page_is_decoded_ahead_and_no_more(workers: ThreadPoolExecutor) -> None:
    document = Slow()
    document.go.set()
    async with PageStream(cast(Any, document), workers) as pages:
        assert pages.page_count == 5 and document.begun == []
        first = await anext(pages)
        second = await anext(pages)
        assert [first.origin.number, second.origin.number] == [1, 2]
        assert set(document.begun) <= {0, 1, 2}
    workers.shutdown()
    assert document.log[-1] == "close" and "read 3" not in document.log


async def test_all_pages_come_in_order() -> None:
    async with await open_pages(
        lambda: [SourceFile(THREE_PAGES)], Bounds(), DocumentOptions(), InProcessDecoders()
    ) as pages:
        assert [page.origin.number async for page in pages] == [1, 2, 3]


async def test_closing_waits_for_nothing_and_frees_the_file_after_the_page_in_hand(
    workers: ThreadPoolExecutor,
) -> None:
    document = Slow()
    async with PageStream(cast(Any, document), workers) as pages:
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
        await open_pages(lambda: [SourceFile(b"hello")], Bounds(), DocumentOptions(), decoders)
    noise = np.random.default_rng(5).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(noise).save(stream, "PNG")
    half = SourceFile(stream.getvalue()[:9000])
    async with await open_pages(lambda: [half], Bounds(), DocumentOptions(), decoders) as pages:
        with pytest.raises(UnreadableDocument):
            await anext(pages)


async def test_a_cancelled_opening_closes_what_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    document, begun, go = Slow(), Event(), Event()
    decoders = InProcessDecoders()

    def opened(*_: object) -> Any:
        begun.set()
        assert go.wait(10)
        return document

    monkeypatch.setattr(decoders, "open", opened)
    opening = asyncio.ensure_future(open_pages(list, Bounds(), DocumentOptions(), decoders))
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
    pages = await open_pages(
        lambda: [SourceFile(THREE_PAGES)],
        Bounds(),
        DocumentOptions(),
        InProcessDecoders(),
        lambda: closed.append("closed"),
    )
    assert closed == []
    pages.close()
    pages.close()
    assert closed == ["closed"]


async def test_whoever_waits_for_a_document_is_told_that_it_cannot_be_opened() -> None:
    closed: list[str] = []
    with pytest.raises(InputError):
        await open_pages(
            lambda: [SourceFile(b"no picture")],
            Bounds(),
            DocumentOptions(),
            InProcessDecoders(),
            lambda: closed.append("closed"),
        )
    assert closed == ["closed"]
