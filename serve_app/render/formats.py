"""Every output format by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from serve_app.render import alto, csv, hocr, json, ndjson, pdf, png, text
from serve_app.render.images import PageImage
from serve_app.results import DocumentResult
from serve_app.schemas import OutputFormat

WITH_IMAGES = frozenset({OutputFormat.PDF, OutputFormat.PNG})
ONE_PAGE = frozenset({OutputFormat.PNG})

FILE_SUFFIXES: Mapping[OutputFormat, str] = {
    OutputFormat.JSON: "json",
    OutputFormat.TEXT: "txt",
    OutputFormat.HOCR: "hocr",
    OutputFormat.ALTO: "xml",
    OutputFormat.PDF: "pdf",
    OutputFormat.CSV: "csv",
    OutputFormat.PNG: "png",
    OutputFormat.NDJSON: "ndjson",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that was read for a request, and what only some formats need.

    ``images`` gives one picture a page for formats in ``WITH_IMAGES``, and none for others.
    """

    document: DocumentResult
    request_id: str
    timings_ms: Mapping[str, float]
    with_words: bool = False
    images: Iterable[PageImage] = ()


def write(reading: Reading, output: OutputFormat) -> bytes:
    """The reading in a format. Works for tens of milliseconds a page: not for the event loop."""
    return _WRITERS[output](reading)


def _json(reading: Reading) -> bytes:
    answer = json.render(reading.document, reading.request_id, reading.timings_ms, reading.with_words)
    return answer.model_dump_json().encode()


def _ndjson(reading: Reading) -> bytes:
    return ndjson.render(reading.document, reading.request_id, reading.timings_ms, reading.with_words)


_WRITERS: Mapping[OutputFormat, Callable[[Reading], bytes]] = {
    OutputFormat.JSON: _json,
    OutputFormat.TEXT: lambda reading: text.render(reading.document).encode(),
    OutputFormat.HOCR: lambda reading: hocr.render(reading.document),
    OutputFormat.ALTO: lambda reading: alto.render(reading.document),
    OutputFormat.PDF: lambda reading: pdf.render(reading.document, reading.images),
    OutputFormat.CSV: lambda reading: csv.render(reading.document),
    OutputFormat.PNG: lambda reading: png.render(reading.document.pages[0], next(iter(reading.images))),
    OutputFormat.NDJSON: _ndjson,
}
