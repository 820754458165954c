"""Answers page by page: JSON lines, each sent as soon as its page is read.

The first line tells how many pages come, then each page has a line, and the last line ends the
answer. Pictures of pages and the stages that they enter are lines too, for who asks for them. What
fails before there is a second line is answered with its own status, as for every other format; what
fails later is the last line, and there is no end then.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from deployments.errors import DeadlineExceeded, OcrError
from serve_app import problems
from serve_app.disconnect import unless_disconnected
from serve_app.events import Events, PageEvent, StageBegun
from serve_app.faults import request_id, tell_problem
from serve_app.lookahead import PageStream
from serve_app.reading import DocumentReader, Files, timely
from serve_app.render.json import page_view
from serve_app.render.ndjson import line
from serve_app.results import PageResult, add_timings_ms
from serve_app.schemas import OcrQuery, OutputFormat
from serve_app.stream_schemas import (
    PagePicture,
    StageStep,
    StreamEnd,
    StreamLine,
    StreamProblem,
    StreamStart,
)

logger = logging.getLogger(__name__)

# In a server that has the application wait for its clients, one that takes nothing for so long is given
# up, and one that has been waited for as long in all and takes fewer bytes a second than these: its
# document keeps its turn, and up to two decoded pages, from others. Serve takes all at once, and nobody
# waits, unless it runs behind HAProxy with RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD=0.
MAX_SEND_S = 60.0
LEAST_BYTES_PER_S = 16 * 1024

_HEADERS = {"Vary": "Accept", "X-Accel-Buffering": "no"}


class LinesResponse(StreamingResponse):
    """Lines as they come; closes their source when the client goes away, or takes none for too long."""

    def __init__(self, lines: AsyncGenerator[bytes], media_type: str) -> None:
        super().__init__(lines, media_type=media_type, headers=_HEADERS)
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        identity = scope["state"]["request_id"]
        try:
            await unless_disconnected(receive, self.stream_response(_in_time(send)))
        except ClientDisconnect:
            logger.info("request %s: the client went away", identity)
        except TimeoutError:
            logger.warning("request %s: the client took too little for %g s", identity, MAX_SEND_S)
        finally:
            await self._lines.aclose()


def _in_time(send: Send) -> Send:
    """``send``, which raises TimeoutError once the client takes too little."""
    waited_s, taken_bytes = 0.0, 0

    async def send_in_time(message: Message) -> None:
        nonlocal waited_s, taken_bytes
        clock = asyncio.get_running_loop().time
        patience_s = MAX_SEND_S + taken_bytes / LEAST_BYTES_PER_S - waited_s
        begun_s = clock()
        async with asyncio.timeout(min(MAX_SEND_S, patience_s)):
            await send(message)
        waited_s += clock() - begun_s
        taken_bytes += len(message.get("body", b""))

    return send_in_time


async def stream(
    documents: DocumentReader,
    request: Request,
    query: OcrQuery,
    files: Files,
    page_deadline_s: float,
    media_type: str,
) -> LinesResponse:
    """Begin to read a document; answers once there is something to say of its first page.

    ``page_deadline_s`` is how long the wait for each page may be, seconds, for the first one with what
    comes before it; ``media_type`` is the one that was negotiated.

    Raises:
        OcrError: the document cannot be opened, or its first page failed for a reason that would
            fail the whole request; DeadlineExceeded: it took too long.
        ClientDisconnect: the client went away meanwhile.
    """
    lines = _lines(documents, request, query, files, page_deadline_s)
    try:
        head = await unless_disconnected(request.receive, _take(lines, 2))
    except BaseException:
        await lines.aclose()
        raise
    return LinesResponse(_resumed(head, lines), media_type)


async def _take(lines: AsyncGenerator[bytes], count: int) -> list[bytes]:
    return [await anext(lines) for _ in range(count)]


async def _resumed(head: list[bytes], lines: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(lines):
        for line in head:
            yield line
        async for line in lines:
            yield line


async def _lines(
    documents: DocumentReader, request: Request, query: OcrQuery, files: Files, page_deadline_s: float
) -> AsyncGenerator[bytes]:
    started_s, identity, answered, begun = time.perf_counter(), request_id(request), 0, False
    spent_ms: dict[str, float] = {}
    events = Events[PageEvent]()
    try:
        async with await _opened(documents, query, files, page_deadline_s) as pages:
            engines = dict(documents.engines)
            start = StreamStart(request_id=identity, page_count=pages.page_count, engines=engines)
            yield line(StreamLine(start=start))
            async with (
                aclosing(documents.stream(pages, query, events)) as results,
                aclosing(timely(results, page_deadline_s, time.perf_counter() - started_s)) as in_time,
                aclosing(events.among(in_time)) as told,
            ):
                async for item in told:
                    if isinstance(item, PageResult):
                        add_timings_ms(spent_ms, item)
                        answered += 1
                    # A dense page is tenths of a second of work, which others need not wait for.
                    told_line = await documents.beside(_line_of, item, query.words)
                    begun = True
                    yield told_line
    except Exception as error:
        if not begun:
            raise
        yield line(StreamLine(problem=_problem(error, request)))
        return
    spent_ms["total"] = round((time.perf_counter() - started_s) * 1000, 2)
    yield line(StreamLine(end=StreamEnd(page_count=answered, timings_ms=spent_ms)))


async def _opened(documents: DocumentReader, query: OcrQuery, files: Files, within_s: float) -> PageStream:
    """The document, once its turn came; raises DeadlineExceeded where that takes too long."""
    try:
        async with asyncio.timeout(within_s):
            return await documents.open(files, query, OutputFormat.NDJSON, within_s)
    except TimeoutError:
        raise DeadlineExceeded(f"The document was not opened within {within_s:g} s.") from None


def _line_of(item: PageEvent | PageResult, with_words: bool) -> bytes:
    return line(_told(item, with_words))


def _told(item: PageEvent | PageResult, with_words: bool) -> StreamLine:
    if isinstance(item, PageResult):
        return StreamLine(page=page_view(item, with_words))
    file, page = item.origin.file, item.origin.number
    if isinstance(item, StageBegun):
        return StreamLine(step=StageStep(file=file, page=page, stage=item.stage))
    image = "data:image/jpeg;base64," + base64.b64encode(item.picture.jpeg).decode("ascii")
    return StreamLine(picture=PagePicture(file=file, page=page, image=image))


def _problem(error: Exception, request: Request) -> StreamProblem:
    identity, retry_after_s = request_id(request), None
    if isinstance(error, OcrError):
        logger.warning("request %s: %s", identity, problems.for_log(error))
        kind, detail = problems.kind_of(type(error)), error.public
        retry_after_s = problems.retry_after_s(error)
    else:
        logger.error("request %s failed while it was answered", identity, exc_info=error)
        kind, detail = problems.INTERNAL, "The service failed unexpectedly."
    tell_problem(request, kind, "stream")
    problem = problems.problem(kind, detail, identity)
    return StreamProblem(**problem.model_dump(), retry_after_s=retry_after_s)
