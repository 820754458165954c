"""Which format an answer is written in: by the ``format`` parameter, else by Accept (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from deployments.errors import NotAcceptable
from serve_app.render.formats import FILE_SUFFIXES
from serve_app.schemas import OutputFormat

WrittenAs: TypeAlias = tuple[OutputFormat, str]
"""The format of an answer, and its media type."""

# The media types that each format goes by, its own first; formats in the order of our preference.
MEDIA_TYPES: dict[OutputFormat, tuple[str, ...]] = {
    OutputFormat.JSON: ("application/json",),
    OutputFormat.TEXT: ("text/plain",),
    OutputFormat.HOCR: ("text/vnd.hocr+html", "text/html", "application/xhtml+xml"),
    OutputFormat.ALTO: ("application/alto+xml", "application/xml", "text/xml"),
    OutputFormat.PDF: ("application/pdf",),
    OutputFormat.CSV: ("text/csv",),
    OutputFormat.PNG: ("image/png",),
    OutputFormat.NDJSON: ("application/x-ndjson", "application/jsonl"),
}


def negotiate(
    asked: OutputFormat | None, accept: str, preferred: OutputFormat = OutputFormat.JSON
) -> WrittenAs:
    """The format of an answer and its media type.

    ``asked`` wins; ``accept`` is the header, empty where there is none, and decides otherwise. Of
    formats that it likes equally well ``preferred`` comes first.
    Raises NotAcceptable when it admits none of our media types.
    """
    if asked is not None:
        return asked, MEDIA_TYPES[asked][0]
    ranges = list(_ranges(accept)) or [("*/*", 1.0)]
    kinds = [preferred, *(kind for kind in MEDIA_TYPES if kind is not preferred)]
    offers = [(kind, name) for kind in kinds for name in MEDIA_TYPES[kind]]
    best = max(offers, key=lambda offer: _quality(offer[1], ranges))
    if _quality(best[1], ranges) <= 0:
        known = ", ".join(names[0] for names in MEDIA_TYPES.values())
        raise NotAcceptable(f"Accept: none of the media types can be written; these can: {known}.")
    return best


def result_headers(output: OutputFormat) -> dict[str, str]:
    """Headers of an answer in a format: how it was chosen, and a fitting name to save it under."""
    headers = {"Vary": "Accept"}
    if output is not OutputFormat.JSON:
        headers["Content-Disposition"] = f'inline; filename="reading.{FILE_SUFFIXES[output]}"'
    return headers


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media ranges with their weights; what is no range is passed over."""
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name.count("/") == 1:
            yield name, _weight(parameters)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """The weight of the most specific range that a media type falls into, 0 where none."""
    for pattern in (media_type, media_type.split("/")[0] + "/*", "*/*"):
        weights = [weight for name, weight in ranges if name == pattern]
        if weights:
            return max(weights)
    return 0.0
