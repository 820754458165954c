from __future__ import annotations

import pytest

from deployments.errors import NotAcceptable
from serve_app.negotiation import MEDIA_TYPES, negotiate
from serve_app.schemas import OutputFormat

JSON, TEXT, HOCR, ALTO, PDF = (
    OutputFormat.JSON,
    OutputFormat.TEXT,
    OutputFormat.HOCR,
    OutputFormat.ALTO,
    OutputFormat.PDF,
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("", (JSON, "application/json")), ("*/*", (JSON, "application/json")),
     ("application/pdf", (PDF, "application/pdf")), ("Application/PDF ; q=0.5", (PDF, "application/pdf")),
     ("text/*", (TEXT, "text/plain")), ("image/*", (OutputFormat.PNG, "image/png")),
     ("application/xml", (ALTO, "application/xml")), ("text/html", (HOCR, "text/html")),
     ("text/plain;q=0.4, application/pdf;q=0.6, */*;q=0.1", (PDF, "application/pdf")),
     ("application/json;q=0, */*", (TEXT, "text/plain")),
     ("text/html,application/xml;q=0.9,*/*;q=0.8", (HOCR, "text/html")),
     ("nonsense, application/pdf", (PDF, "application/pdf")), ("nonsense", (JSON, "application/json"))],
)  # fmt: skip
def test_the_header_decides(accept: str, expected: tuple[OutputFormat, str]) -> None:
    assert negotiate(None, accept) == expected


@pytest.mark.parametrize("accept", ["application/msword", "video/*", "*/*;q=0", "application/pdf;q=x"])
def test_nothing_that_can_be_written_is_accepted(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="application/pdf"):
        negotiate(None, accept)


def test_the_parameter_wins() -> None:
    assert negotiate(PDF, "text/plain") == (PDF, "application/pdf")


def test_every_format_has_media_types_of_its_own() -> None:
    names = [name for names in MEDIA_TYPES.values() for name in names]
    assert set(MEDIA_TYPES) == set(OutputFormat) and len(names) == len(set(names))
