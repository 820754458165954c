"""What openapi.json says beyond what the routes' types say: bodies, examples, every problem."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments import errors
from serve_app import problems
from serve_app.contract_access import describe_access
from serve_app.contract_parts import (
    APPLIED_HEADER,
    EXAMPLE_ID,
    NAME_HEADER,
    PREFER_PARAMETER,
    REQUEST_ID_PART,
    TIMING_HEADER,
    UPLOAD,
    problem_responses,
)
from serve_app.negotiation import MEDIA_TYPES
from serve_app.schemas import (
    Answer,
    EncodedDocument,
    JobFailedProblem,
    OutputFormat,
    Problem,
    Readiness,
    StagesProblem,
)
from serve_app.stream_schemas import StreamLine

TITLE = "Scriptorium"
VERSION = "1.0.0"
DESCRIPTION = """\
Reads documents: finds the lines of text on a page, tells handwriting from print, and reads both, in
Russian and English.

Every error of the service itself is a problem document (`application/problem+json`, RFC 9457). Ray Serve
and proxies in front of the service may answer a 500, 502 or 503 that is none.

Readings change nothing and may always be sent again; send a job again with the same `Idempotency-Key`.
After a 429 or 503 with `Retry-After`, wait that long. After a broken connection, a 502, or a 500 or 503
that is not `application/problem+json`, wait 1, 2, 4, ... seconds.

Every answer of the service carries the `X-Request-ID` of its request; send a short plain one of your own
to follow a request through several services.

Within a major version, fields, problem types and kinds of stream line may be added; ignore those you do
not know. In requests, unknown parameters and fields are errors.
"""

EXAMPLE: dict[str, Any] = {
    "request_id": EXAMPLE_ID,
    "pages": [
        {
            "page": 1,
            "file": 1,
            "file_name": "scan.pdf",
            "dpi": 200.0,
            "width": 1240,
            "height": 1754,
            "skew_deg": 0.0,
            "orientation_deg": 0,
            "regions": [
                {
                    "bbox": {"x": 120.0, "y": 96.0, "width": 412.0, "height": 34.0},
                    "polygon": [[120.0, 96.0], [532.0, 96.0], [532.0, 130.0], [120.0, 130.0]],
                    "kind": "printed",
                    "kind_confidence": 0.9981,
                    "text": "Фамилия, имя:",
                    "confidence": 0.9712,
                    "detection_confidence": 0.9374,
                    "engine": "crnn",
                    "error": None,
                    "words": None,
                }
            ],
            "text": "Фамилия, имя:",
            "error": None,
        }
    ],
    "timings_ms": {"decode": 21.4, "detection": 84.0, "recognition": 140.9, "total": 252.0},
    "engines": {"detection": "yolo", "classification": "clip", "recognition.printed": "crnn"},
}

FAILED_READING = (
    *map(
        problems.kind_of,
        (
            errors.MalformedRequest,
            errors.NotAcceptable,
            errors.PayloadTooLarge,
            errors.UnsupportedFormat,
            errors.InvalidParameter,
            errors.UnreadableDocument,
            errors.DecoderFailed,
            errors.StageFailed,
            errors.Overloaded,
            errors.StageUnavailable,
            errors.DeadlineExceeded,
        ),
    ),
    problems.INTERNAL,
    problems.STOPPING,
)


def _other_formats() -> dict[str, dict[str, Any]]:
    """The media types beside JSON, each format by its own name."""
    text, binary = {"type": "string"}, {"type": "string", "format": "binary"}
    own = {output: names[0] for output, names in MEDIA_TYPES.items()}
    return {
        own[OutputFormat.TEXT]: {"schema": text, "example": "Фамилия, имя:\n"},
        own[OutputFormat.HOCR]: {"schema": text},
        own[OutputFormat.ALTO]: {"schema": text},
        own[OutputFormat.PDF]: {"schema": binary},
        own[OutputFormat.CSV]: {"schema": text},
        own[OutputFormat.PNG]: {"schema": binary},
        own[OutputFormat.NDJSON]: {"schema": {"$ref": f"#/components/schemas/{StreamLine.__name__}"}},
    }


_STAGES = ("detection", "classification", "recognition.crnn")
OTHER_FORMATS = _other_formats()


def _reading(operation_id: str, summary: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "operation_id": operation_id,
        "summary": summary,
        "tags": ["reading"],
        "responses": {
            200: {
                "model": Answer,
                "description": "The document as it was read",
                "headers": REQUEST_ID_PART | TIMING_HEADER | APPLIED_HEADER | NAME_HEADER,
                "content": {"application/json": {"example": EXAMPLE}} | OTHER_FORMATS,
            },
            **problem_responses(*FAILED_READING),
        },
        "openapi_extra": {
            "parameters": [PREFER_PARAMETER],
            "requestBody": {"required": True, "content": body},
        },
    }


def _state(description: str, example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"example": example}}
    return {"description": description, "headers": REQUEST_ID_PART, "content": content}


def _unready() -> dict[int, Any]:
    """Two kinds of problem with one status; only that of a service which starts tells the stages."""
    responses = problem_responses(problems.NOT_READY, problems.STOPPING)
    content = responses[problems.NOT_READY.status]["content"][problems.MEDIA_TYPE]
    content["schema"] = {
        "anyOf": [{"$ref": f"#/components/schemas/{StagesProblem.__name__}"}, content["schema"]]
    }
    not_ready = content["examples"][problems.NOT_READY.code]["value"]
    not_ready["detail"] = "Not warm yet: recognition.crnn."
    not_ready["stages"] = dict.fromkeys(_STAGES, True) | {"recognition.crnn": False}
    return responses


READ_UPLOAD = _reading("readUpload", "Read an uploaded document", UPLOAD)
READ_ENCODED = _reading(
    "readEncoded",
    "Read a document inside JSON",
    {"application/json": {"schema": {"$ref": f"#/components/schemas/{EncodedDocument.__name__}"}}},
)
HEALTH: dict[str, Any] = {
    "operation_id": "getHealth",
    "summary": "Tell whether the service is alive",
    "tags": ["state"],
    "responses": {200: _state("The service is alive", {"status": "alive"})},
}
READINESS: dict[str, Any] = {
    "operation_id": "getReadiness",
    "summary": "Tell whether the service is ready",
    "tags": ["state"],
    "responses": {
        200: {"model": Readiness}
        | _state("Work is taken", {"ready": True, "stages": dict.fromkeys(_STAGES, True)}),
        **_unready(),
    },
}
PROBLEM_KIND: dict[str, Any] = {
    "operation_id": "getProblemKind",
    "summary": "Explain a kind of problem",
    "tags": ["state"],
    "responses": {
        200: _state("The kind of problem", problems.kind_of(errors.Overloaded).model_dump()),
        **problem_responses(problems.kind_of_status(404)),
    },
}


def install(app: FastAPI, *, keys_wanted: bool = False) -> None:
    """Have ``app.openapi()`` list the schemas that only bodies and problems refer to."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            schemas = document["components"]["schemas"]
            for model in (Problem, StagesProblem, JobFailedProblem, EncodedDocument, StreamLine):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                for name, part in schema.pop("$defs", {}).items():
                    schemas.setdefault(name, part)
                schemas[model.__name__] = schema
            _leave_out_default_errors(document)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            describe_access(document, keys_wanted=keys_wanted)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _leave_out_default_errors(document: dict[str, Any]) -> None:
    """FastAPI documents a 422 for every path parameter; ours are any text, and unknown ones are 404."""
    for operations in document["paths"].values():
        for operation in operations.values():
            invalid = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if invalid.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
                del operation["responses"]["422"]
