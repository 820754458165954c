"""A document as a table: one row for each region, in reading order (RFC 4180).

Texts stand as they were read: a spreadsheet may take one that begins with ``=`` for a formula.
"""

from __future__ import annotations

import csv
import io

from deployments.geometry import quad_bounds
from serve_app.render.rounding import pixels, probability
from serve_app.results import DocumentResult, PageResult, Region

COLUMNS = (
    "file", "file_name", "page", "region", "kind", "kind_confidence", "text", "confidence",
    "detection_confidence", "engine", "x", "y", "width", "height",
    "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "error",
)  # fmt: skip


def render(document: DocumentResult) -> bytes:
    """UTF-8 text with a header; a page that failed is a row with its ``error`` alone."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, restval="")
    writer.writeheader()
    for page in document.pages:
        if page.error is not None:
            writer.writerow({**_origin(page), "error": page.error.code})
        for number, region in enumerate(page.regions, 1):
            writer.writerow({**_origin(page), "region": number, **_region(region)})
    return stream.getvalue().encode()


def _origin(page: PageResult) -> dict[str, object]:
    if page.origin is None:
        return {"file": 1, "page": page.index + 1}
    return {"file": page.origin.file, "file_name": page.origin.file_name, "page": page.origin.number}


def _region(region: Region) -> dict[str, object]:
    x, y, width, height = map(pixels, quad_bounds(region.quad))
    corners = {
        f"{axis}{number}": pixels(value)
        for number, corner in enumerate(region.quad, 1)
        for axis, value in zip("xy", corner, strict=True)
    }
    return {
        "kind": region.kind,
        "kind_confidence": probability(region.kind_confidence),
        "text": region.text,
        "confidence": probability(region.confidence),
        "detection_confidence": probability(region.detection_confidence),
        "engine": region.engine,
        **{"x": x, "y": y, "width": width, "height": height},
        **corners,
        "error": region.error and region.error.code,
    }
