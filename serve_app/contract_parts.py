"""Pieces that the routes' descriptions in openapi.json are made of: headers, problems, bodies."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from serve_app import problems
from serve_app.schemas import Problem, ProblemKind

EXAMPLE_ID = "5f0c6f5e1b7a4c0f9a6f0d8f2f1c9a3e"
REQUEST_ID_PART = {
    "X-Request-ID": {"description": "id of the request", "schema": {"type": "string"}, "example": EXAMPLE_ID}
}
TIMING_HEADER = {
    "Server-Timing": {
        "description": "milliseconds by stage; JSON lines have them in their last line instead",
        "schema": {"type": "string"},
        "example": "decode;dur=21.4, detection;dur=84.0, recognition;dur=140.9, total;dur=252.0",
    }
}
NAME_HEADER = {
    "Content-Disposition": {
        "description": "a name to save the answer under; not for JSON, nor for JSON lines that are streamed",
        "schema": {"type": "string"},
        "example": 'inline; filename="reading.pdf"',
    }
}
RETRY_HEADER = {
    "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}, "example": 1}
}

PREFER_PARAMETER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: the client waits N seconds at most, where the service would take longer "
    "(RFC 7240); counted from the complete body, for JSON lines anew for each page",
    "schema": {"type": "string"},
    "example": "wait=20",
}
APPLIED_HEADER = {
    "Preference-Applied": {
        "description": "the wait that was applied; absent where none was preferred, or a longer one than the "
        "service allows",
        "schema": {"type": "string"},
        "example": "wait=20",
    }
}


def problem_responses(*kinds: ProblemKind, model: type[Problem] = Problem, **extra: Any) -> dict[int, Any]:
    """One response a status, with an example for each kind of problem that has it."""
    by_status: dict[int, list[ProblemKind]] = defaultdict(list)
    for kind in kinds:
        by_status[kind.status].append(kind)
    return {status: _problem_response(by_status[status], model, extra) for status in sorted(by_status)}


def _problem_response(
    kinds: list[ProblemKind], model: type[Problem], extra: dict[str, Any]
) -> dict[str, Any]:
    examples = {
        kind.code: {"value": problems.problem(kind, kind.title, EXAMPLE_ID).model_dump() | extra}
        for kind in kinds
    }
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "description": HTTPStatus(kinds[0].status).phrase,
        "headers": REQUEST_ID_PART | (RETRY_HEADER if any(kind.retry for kind in kinds) else {}),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


_RAW = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
_FILES = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "string", "format": "binary", "minLength": 1},
    "description": "one file or several",
}
_FORM = {
    "type": "object",
    "description": "one field or both",
    "minProperties": 1,
    "properties": {"image": _FILES, "file": _FILES},
    "additionalProperties": False,
}

UPLOAD = {
    "multipart/form-data": {"schema": _FORM},
    "application/pdf": _RAW,
    "image/*": _RAW,
    "application/octet-stream": _RAW,
}
"""Content of a request that uploads documents."""
