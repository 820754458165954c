"""What openapi.json says of the routes of jobs beyond what their types say."""

from __future__ import annotations

from typing import Any

from deployments import errors
from serve_app import problems
from serve_app.contract import EXAMPLE, OTHER_FORMATS
from serve_app.contract_parts import (
    EXAMPLE_ID,
    NAME_HEADER,
    REQUEST_ID_PART,
    RETRY_HEADER,
    UPLOAD,
    problem_responses,
)
from serve_app.jobs.errors import (
    IdempotencyKeyReused,
    JobAbandoned,
    JobExpired,
    JobFailed,
    JobNotFinished,
    JobNotFound,
    JobStorageFull,
    JobsUnavailable,
    TooManyJobs,
)
from serve_app.jobs.schemas import JobView
from serve_app.schemas import Answer, JobFailedProblem, ProblemKind

_JOB_ID = "0b9d7e4f6c1a4f0e8d2b5a3c7e9f1d60"
EXAMPLE_JOB: dict[str, Any] = {
    "id": _JOB_ID,
    "status": "running",
    "format": "pdf",
    "progress": {"pages_done": 41, "page_count": 300},
    "page_failures": [
        {
            "file": 1,
            "page": 7,
            "error": {"code": "stage_failed", "detail": "A processing stage failed on this item"},
        }
    ],
    "created_at": "2026-11-21T09:00:00Z",
    "started_at": "2026-11-21T09:00:01Z",
    "finished_at": None,
    "expires_at": "2026-11-22T09:00:00Z",
    "problem": None,
    "links": {"job": f"/jobs/{_JOB_ID}", "result": f"/jobs/{_JOB_ID}/result"},
}
_QUEUED = EXAMPLE_JOB | {
    "status": "queued",
    "progress": {"pages_done": 0, "page_count": 300},
    "page_failures": [],
    "started_at": None,
}
_LOCATION_HEADER = {
    "Location": {
        "description": "where the job is",
        "schema": {"type": "string"},
        "example": f"/jobs/{_JOB_ID}",
    }
}


def _kinds(*failures: type[errors.OcrError]) -> list[ProblemKind]:
    return [problems.kind_of(failure) for failure in failures]


_SUBMIT = _kinds(
    errors.MalformedRequest,
    errors.NotAcceptable,
    errors.PayloadTooLarge,
    errors.UnsupportedFormat,
    errors.InvalidParameter,
    errors.UnreadableDocument,
    errors.DecoderFailed,
    errors.Overloaded,
    errors.StageUnavailable,
    IdempotencyKeyReused,
    TooManyJobs,
    JobsUnavailable,
    JobStorageFull,
)
_LOOK = _kinds(JobNotFound, JobExpired, JobsUnavailable)
# Searchable PDF and PNG of a job that was submitted as something else decode its pages again.
_FETCH = _kinds(
    errors.NotAcceptable,
    errors.PayloadTooLarge,
    errors.InvalidParameter,
    errors.UnreadableDocument,
    errors.DecoderFailed,
    errors.Overloaded,
    errors.StageUnavailable,
    JobNotFound,
    JobNotFinished,
    JobExpired,
    JobsUnavailable,
)
_CAUSE = problems.problem(problems.kind_of(JobAbandoned), JobAbandoned.title, EXAMPLE_ID).model_dump()

SUBMIT_JOB: dict[str, Any] = {
    "operation_id": "submitJob",
    "summary": "Submit a long document",
    "tags": ["jobs"],
    "status_code": 202,
    "responses": {
        202: {
            "model": JobView,
            "description": "The job is stored, and will be read",
            "headers": REQUEST_ID_PART | _LOCATION_HEADER | RETRY_HEADER,
            "content": {"application/json": {"example": _QUEUED}},
        },
        **problem_responses(*_SUBMIT, problems.INTERNAL, problems.STOPPING),
    },
    "openapi_extra": {"requestBody": {"required": True, "content": UPLOAD}},
}
GET_JOB: dict[str, Any] = {
    "operation_id": "getJob",
    "summary": "See how far a job is",
    "tags": ["jobs"],
    "responses": {
        200: {
            "model": JobView,
            "description": "The job as it stands; with `Retry-After` while it is not finished",
            "headers": REQUEST_ID_PART | RETRY_HEADER,
            "content": {"application/json": {"example": EXAMPLE_JOB}},
        },
        **problem_responses(*_LOOK, problems.INTERNAL),
    },
}
GET_JOB_RESULT: dict[str, Any] = {
    "operation_id": "getJobResult",
    "summary": "Fetch the result of a job",
    "tags": ["jobs"],
    "responses": {
        200: {
            "model": Answer,
            "description": "The document as it was read; `request_id` is that of the submission",
            "headers": REQUEST_ID_PART | NAME_HEADER,
            "content": {"application/json": {"example": EXAMPLE}} | OTHER_FORMATS,
        },
        **problem_responses(*_FETCH, problems.INTERNAL),
        **problem_responses(problems.kind_of(JobFailed), model=JobFailedProblem, cause=_CAUSE),
    },
}
DELETE_JOB: dict[str, Any] = {
    "operation_id": "deleteJob",
    "summary": "Cancel and remove a job",
    "tags": ["jobs"],
    "status_code": 204,
    "responses": {
        204: {"description": "The job is gone, with its document and result", "headers": REQUEST_ID_PART},
        # Removing writes to the database, which a full disk may refuse.
        **problem_responses(*_LOOK, *_kinds(JobStorageFull), problems.INTERNAL),
    },
}
