"""A document on its way through the service: opened, read page by page, filtered, written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from deployments.errors import DeadlineExceeded, InvalidParameter
from serve_app.deadline import remaining_s
from serve_app.decoding.memory import MemoryLimits, PageMemory
from serve_app.decoding.pool import DecoderLimits, DecoderPool
from serve_app.decoding.protocols import Decoders
from serve_app.events import PageDecoded, PageEvent, StageBegun
from serve_app.filters import RegionFilter
from serve_app.lookahead import PageStream, open_pages
from serve_app.observer import Observer, Unobserved
from serve_app.page_ranges import parse_ranges
from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage
from serve_app.picturing import Picturing
from serve_app.reader import Reader, ReadOptions
from serve_app.render.formats import ONE_PAGE, WITH_IMAGES, Reading, write
from serve_app.render.images import PageImage, compressed, page_image, reduced_image
from serve_app.results import DocumentResult, PageOrigin, PageResult, whole_document
from serve_app.schemas import OcrQuery, OutputFormat
from serve_app.turns import TurnLimits, Turns

P = ParamSpec("P")
T = TypeVar("T")

Files = Callable[[], Sequence[SourceFile]]
"""Gives the files of a request; called in a worker thread."""


# Threads that write answers: markup, tables, PDFs, pictures.
_WRITERS = 4
# Threads that write long documents again, for which nobody else shall wait.
_REWRITERS = 2


class DocumentLimits(PageLimits, DecoderLimits, MemoryLimits, TurnLimits, Protocol):
    """What documents may measure, what decoding them may take, and how many are read at a time."""


class DocumentReader:
    """Takes documents from files to answers; what blocks is done beside the event loop."""

    def __init__(self, reader: Reader, limits: DocumentLimits, observer: Observer | None = None) -> None:
        self._reader = reader
        self._limits = limits
        observer = observer or Unobserved()
        self._turns = Turns(limits, observer)
        self._decoders: Decoders = DecoderPool(limits, on_end=observer.decoder_ended)
        self._memory = PageMemory(limits)
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write")
        self._rewriters = ThreadPoolExecutor(_REWRITERS, thread_name_prefix="write-again")

    def start(self) -> None:
        """Have the decoders warm; without it they become so at the first document."""
        self._decoders.start()

    @property
    def engines(self) -> Mapping[str, str]:
        """The engine of every stage, as ``Reader.engines``."""
        return self._reader.engines

    def check(self, query: OcrQuery) -> None:
        """Raise InvalidParameter where ``query`` asks for an engine that this service does not have."""
        kinds = {name: engine for name, engine in self.engines.items() if name.startswith("recognition.")}
        if query.engine is not None and query.engine not in kinds.values():
            known = ", ".join(sorted(set(kinds.values())))
            raise InvalidParameter(f"engine: this service reads with {known}.")

    def refuse_if_late(self, within_s: float) -> None:
        """Raise Overloaded where a document to be read ``within_s`` would be refused by ``open``."""
        self._turns.refuse_if_late(within_s)

    async def open(
        self, files: Files, query: OcrQuery, output: OutputFormat, within_s: float | None = None
    ) -> PageStream:
        """Open the files of a request when it is their turn; close what is returned.

        ``within_s`` is the time that the client gives them, where it is no deadline of the whole.

        Raises as ``open_document``, and:
            Overloaded: too many documents wait already.
            InvalidParameter: ``output`` shows one page, and there are more.
        """
        leave = await self._turns.take(remaining_s() if within_s is None else within_s)
        pages = await self._open_pages(files, query, leave)
        try:
            check_page_count(output, pages.page_count)
        except InvalidParameter:
            pages.close()
            raise
        return pages

    async def stream(
        self,
        pages: AsyncIterator[SourcePage],
        query: OcrQuery,
        on_event: Callable[[PageEvent], None] | None = None,
    ) -> AsyncGenerator[PageResult]:
        """What was read on each page, in order, without the regions that the request leaves out.

        ``on_event`` is told what ``query.progress`` and ``query.pictures`` ask for.
        """
        keep = RegionFilter(query.min_confidence, query.kind)
        options = ReadOptions(query.layout, query.engine)
        if on_event and query.progress:
            options = replace(options, on_stage=partial(_tell_stage, on_event))
        if on_event and query.pictures:
            make, tell = partial(reduced_image, longest_px=query.pictures), partial(_tell_picture, on_event)
            with closing(self._picturing(pages, make, tell)) as pictures:
                async with aclosing(self._reader.stream(pictures, options)) as results:
                    async for result in results:
                        await pictures.told()
                        yield keep(result)
            return
        async with aclosing(self._reader.stream(pages, options)) as results:
            async for result in results:
                yield keep(result)

    async def read(
        self, files: Files, query: OcrQuery, output: OutputFormat
    ) -> tuple[DocumentResult, list[PageImage]]:
        """The whole document, with the pictures of its pages where ``output`` shows them.

        Raises the errors of opening and reading, and that of the first page where every page failed.
        """
        images: list[PageImage] = []
        async with await self.open(files, query, output) as pages:
            make = _picture_maker(output)
            with closing(self._picturing(pages, make, lambda _, image: images.append(image))) as kept:
                source = kept if output in WITH_IMAGES else pages
                async with aclosing(self.stream(source, query)) as stream:
                    results = [result async for result in stream]
        return whole_document(results, self._reader.engines), images

    async def write(self, reading: Reading, output: OutputFormat) -> bytes:
        """The reading in a format."""
        return await self.beside(write, reading, output)

    async def beside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``work`` makes of a reading, done in the threads that write answers."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writers, partial(work, *args, **kwargs))

    async def write_again(
        self, reading: Reading, output: OutputFormat, files: Sequence[SourceFile], query: OcrQuery
    ) -> bytes:
        """As ``write``, of a document read before: its pages are decoded again if ``output`` shows them.

        Decoding ends with the wait for it. Raises InvalidParameter as ``open``, and the errors of decoding.
        """
        check_page_count(output, len(reading.document.pages))
        loop = asyncio.get_running_loop()
        if output not in WITH_IMAGES:
            return await loop.run_in_executor(self._rewriters, write, reading, output)
        async with await self._open_pages(lambda: files, query) as pages:
            pictured = replace(reading, images=_images(pages, _picture_maker(output), loop))
            return await loop.run_in_executor(self._rewriters, write, pictured, output)

    def close(self) -> None:
        """Take no more documents."""
        self._decoders.close()
        for threads in (self._writers, self._rewriters):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _open_pages(
        self, files: Files, query: OcrQuery, on_close: Callable[[], None] = lambda: None
    ) -> PageStream:
        options = _document_options(query)
        return await open_pages(files, self._limits, options, self._decoders, self._memory, on_close)

    def _picturing(
        self,
        pages: AsyncIterator[SourcePage],
        make: Callable[[SourcePage], PageImage],
        tell: Callable[[PageOrigin, PageImage], None],
    ) -> Picturing:
        return Picturing(pages, lambda page: self.beside(make, page), tell)


def _picture_maker(output: OutputFormat) -> Callable[[SourcePage], PageImage]:
    """How pages become the pictures that a format shows: those that are drawn upon are opened here."""
    return compressed if output is OutputFormat.PNG else page_image


def _images(
    pages: PageStream, make: Callable[[SourcePage], PageImage], loop: asyncio.AbstractEventLoop
) -> Iterator[PageImage]:
    """Pictures of the pages, each made when it is asked for; in a thread that may wait.

    Once the pages are closed there are no more, and whoever asks is ended by StopAsyncIteration.
    """
    for _ in range(pages.page_count):
        yield make(asyncio.run_coroutine_threadsafe(anext(pages), loop).result())


async def timely(
    results: AsyncIterator[PageResult], deadline_s: float, spent_s: float = 0.0
) -> AsyncGenerator[PageResult]:
    """Results as they come; raises DeadlineExceeded where one takes longer than ``deadline_s`` to come.

    ``spent_s`` of the time of the first are over already.
    """
    left_s = deadline_s - spent_s
    while True:
        try:
            async with asyncio.timeout(left_s):
                result = await anext(results, None)
        except TimeoutError:
            raise DeadlineExceeded(f"A page was not read within {deadline_s:g} s.") from None
        if result is None:
            return
        yield result
        left_s = deadline_s


def check_page_count(output: OutputFormat, page_count: int) -> None:
    """Raise InvalidParameter where a format shows one page, and there are more."""
    if output in ONE_PAGE and page_count > 1:
        raise InvalidParameter(
            f"format: {output} shows one page, and {page_count} are to be read; "
            "choose one with the parameter 'pages'."
        )


def _document_options(query: OcrQuery) -> DocumentOptions:
    ranges = parse_ranges(query.pages) if query.pages else None
    return DocumentOptions(ranges, query.dpi, query.text_layer)


def _tell_stage(on_event: Callable[[PageEvent], None], origin: PageOrigin, stage: str) -> None:
    on_event(StageBegun(origin, stage))


def _tell_picture(on_event: Callable[[PageEvent], None], origin: PageOrigin, picture: PageImage) -> None:
    on_event(PageDecoded(origin, picture))
