"""Pages of an open document for the event loop: decoded beside it, one page ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Self

from serve_app.decoding.protocols import Decoders, Document
from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage


class PageStream:
    """An asynchronous iterator over the pages of a document, in order.

    While one page is being used the next is decoded, and no more: memory holds two pages of the
    document beside those that the caller keeps. Close it (``async with``), whether it was read to
    its end or not; the files are freed once the page in hand is put down. ``on_close`` is called when
    it is closed first.
    """

    def __init__(
        self, document: Document, workers: Executor, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self.page_count = document.page_count
        self._document = document
        self._workers = workers
        self._next_index = 0
        self._coming: Future[SourcePage] | None = None
        self._on_close: Callable[[], None] | None = on_close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SourcePage:
        """The next page. Raises the errors of ``OpenDocument.read``."""
        coming, self._coming = self._coming or self._decode_next(), None
        if coming is None:
            raise StopAsyncIteration
        # Kept where closing finds it, should the wait be cancelled.
        self._coming = coming
        page = await asyncio.shield(asyncio.wrap_future(coming))
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
        if coming is None or coming.cancel():
            self._document.close()
        else:
            coming.add_done_callback(lambda _: self._document.close())

    def _decode_next(self) -> Future[SourcePage] | None:
        if self._next_index >= self.page_count:
            return None
        self._next_index += 1
        return self._workers.submit(self._document.read, self._next_index - 1)


async def open_pages(
    files: Callable[[], Sequence[SourceFile]],
    limits: PageLimits,
    options: DocumentOptions,
    decoders: Decoders,
    on_close: Callable[[], None] = lambda: None,
) -> PageStream:
    """Open a document; ``files`` is called in a worker thread. Raises as ``Decoders.open``.

    ``on_close`` is called once: when the stream is closed, or the document could not be opened.
    """
    opening = decoders.workers.submit(lambda: decoders.open(files(), limits, options))
    try:
        document = await asyncio.shield(asyncio.wrap_future(opening))
    except BaseException as error:
        on_close()
        if isinstance(error, asyncio.CancelledError) and not opening.cancel():
            opening.add_done_callback(_close_opened)
        raise
    return PageStream(document, decoders.workers, on_close)


def _close_opened(opening: Future[Document]) -> None:
    if opening.exception() is None:
        opening.result().close()
