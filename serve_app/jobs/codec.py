"""Pages as bytes and back, without loss, so that a job can go on elsewhere and be written in any format."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from deployments.errors import OcrError, StageFailed, kinds
from deployments.types import Kind
from serve_app.results import PageOrigin, PageResult, Region

_LEVEL = 1


def dump_page(page: PageResult) -> bytes:
    """A page as compressed JSON."""
    fields: dict[str, Any] = {
        "index": page.index,
        "size": (page.width_px, page.height_px),
        "skew_deg": page.skew_deg,
        "orientation_deg": page.orientation_deg,
        "timings_ms": dict(page.timings_ms),
        "error": _error_fields(page.error),
        "regions": [_region_fields(region) for region in page.regions],
    }
    if page.origin is not None:
        origin = page.origin
        fields["origin"] = (origin.number, origin.file, origin.file_name, origin.dpi)
    return zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), _LEVEL)


def load_page(data: bytes) -> PageResult:
    """The page that ``dump_page`` wrote."""
    fields = json.loads(zlib.decompress(data))
    width_px, height_px = fields["size"]
    return PageResult(
        fields["index"],
        width_px,
        height_px,
        skew_deg=fields["skew_deg"],
        orientation_deg=fields["orientation_deg"],
        regions=tuple(_region(each) for each in fields["regions"]),
        timings_ms=fields["timings_ms"],
        error=_error(fields["error"]),
        origin=PageOrigin(*fields["origin"]) if "origin" in fields else None,
    )


def _region_fields(region: Region) -> dict[str, Any]:
    return {
        # A float32 is a double too, so its decimals come back as the same float32.
        "quad": region.quad.tolist(),
        "detection_confidence": region.detection_confidence,
        "kind": region.kind,
        "kind_confidence": region.kind_confidence,
        "text": region.text,
        "confidence": region.confidence,
        "engine": region.engine,
        "error": _error_fields(region.error),
        "char_spans": region.char_spans,
        "char_confidences": region.char_confidences,
    }


def _region(fields: Mapping[str, Any]) -> Region:
    changed = {
        "quad": np.asarray(fields["quad"], np.float32),
        "kind": Kind(fields["kind"]) if fields["kind"] else None,
        "error": _error(fields["error"]),
        "char_spans": tuple((left, right) for left, right in fields["char_spans"]),
        "char_confidences": tuple(fields["char_confidences"]),
    }
    return Region(**{**fields, **changed})


def _error_fields(error: OcrError | None) -> tuple[str, str] | None:
    return None if error is None else (error.code, error.public)


def _error(fields: tuple[str, str] | None) -> OcrError | None:
    """An error of the same kind and words; of a kind that this version does not have, a failed stage."""
    if fields is None:
        return None
    code, public = fields
    return {kind.code: kind for kind in kinds()}.get(code, StageFailed)(public)
