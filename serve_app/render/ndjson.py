"""A document as JSON lines: how many pages come, the pages, the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serve_app.render.json import page_view
from serve_app.results import DocumentResult
from serve_app.stream_schemas import StreamEnd, StreamLine, StreamStart


def line(content: StreamLine) -> bytes:
    """One line of the answer, without the fields that it does not have."""
    return content.model_dump_json(exclude_none=False, exclude_unset=True).encode() + b"\n"


def render(
    document: DocumentResult, request_id: str, timings_ms: Mapping[str, float], with_words: bool = False
) -> bytes:
    """The lines of a document that is read already; ``timings_ms`` are those of the whole request."""
    return b"".join(map(line, _lines(document, request_id, timings_ms, with_words)))


def _lines(
    document: DocumentResult, request_id: str, timings_ms: Mapping[str, float], with_words: bool
) -> Iterator[StreamLine]:
    count = len(document.pages)
    engines = dict(document.engines)
    yield StreamLine(start=StreamStart(request_id=request_id, page_count=count, engines=engines))
    for page in document.pages:
        yield StreamLine(page=page_view(page, with_words))
    yield StreamLine(end=StreamEnd(page_count=count, timings_ms=dict(timings_ms)))
