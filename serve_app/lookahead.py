"""Pages of an open document for the event loop: decoded beside it, one page ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from typing import Self

from serve_app.decoding.memory import Holder, PageMemory, Room
from serve_app.decoding.protocols import Decoders, Document
from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage


class PageStream:
    """An asynchronous iterator over the pages of a document, in order.

    While one page is being used the next is decoded, once ``memory`` has room for it, and no more: two
    pages of the document are held beside those that the caller keeps. Close it (``async with``),
    whether it was read to its end or not; the files are freed once the page in hand is put down.
    ``on_close`` is called when it is closed first.
    """

    def __init__(
        self,
        document: Document,
        workers: Executor,
        memory: PageMemory,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.page_count = document.page_count
        self._document = document
        self._workers = workers
        self._next_index = 0
        self._memory = memory
        self._holder = Holder()
        self._coming: asyncio.Task[SourcePage] | None = None
        self._reading: Future[SourcePage] | None = None
        self._on_close: Callable[[], None] | None = on_close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SourcePage:
        """The next page. Raises the errors of ``OpenDocument.read``."""
        # Kept where closing finds it, should the wait be cancelled.
        self._coming = self._coming or self._decode_next()
        if self._coming is None:
            raise StopAsyncIteration
        page = await asyncio.shield(self._coming)
        self._coming = self._decode_next()
        return page

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def skip(self, count: int) -> None:
        """Leave out the first pages; before any is asked for."""
        self._next_index = min(count, self.page_count)

    def close(self) -> None:
        """Stop decoding and free the files, without waiting for either."""
        self._next_index = self.page_count
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        coming, self._coming = self._coming, None
        if coming is not None and not coming.cancel() and not coming.cancelled():
            # Nobody else will look whether it failed.
            coming.exception()
        # Nothing here may refer to a page that comes now: it is to be let go at once.
        document, reading, self._reading = self._document, self._reading, None
        if reading is None or reading.cancel():
            document.close()
        else:
            reading.add_done_callback(lambda _: document.close())

    def _decode_next(self) -> asyncio.Task[SourcePage] | None:
        if self._next_index >= self.page_count:
            return None
        self._next_index += 1
        return asyncio.create_task(self._decode(self._next_index - 1))

    async def _decode(self, index: int) -> SourcePage:
        # Waited for here, and not in a thread that others' documents need.
        room = await self._memory.take(self._holder)
        # With the context of whoever waits: what is logged beside tells the request, or the job.
        self._reading = self._workers.submit(copy_context().run, self._document.read, index, room)
        self._reading.add_done_callback(partial(_free_unless_read, room))
        page = await asyncio.wrap_future(self._reading)
        # It would keep the page.
        self._reading = None
        return page


async def open_pages(
    files: Callable[[], Sequence[SourceFile]],
    limits: PageLimits,
    options: DocumentOptions,
    decoders: Decoders,
    memory: PageMemory,
    on_close: Callable[[], None] = lambda: None,
) -> PageStream:
    """Open a document; ``files`` is called in a worker thread. Raises as ``Decoders.open``.

    ``on_close`` is called once: when the stream is closed, or the document could not be opened.
    """
    opening = decoders.workers.submit(copy_context().run, lambda: decoders.open(files(), limits, options))
    try:
        document = await asyncio.shield(asyncio.wrap_future(opening))
    except BaseException as error:
        on_close()
        if isinstance(error, asyncio.CancelledError) and not opening.cancel():
            opening.add_done_callback(_close_opened)
        raise
    return PageStream(document, decoders.workers, memory, on_close)


def _free_unless_read(room: Room, reading: Future[SourcePage]) -> None:
    if reading.cancelled() or reading.exception() is not None:
        room.free()


def _close_opened(opening: Future[Document]) -> None:
    if opening.exception() is None:
        opening.result().close()
