"""Errors as problem documents (RFC 9457): which there are, and how one is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

from deployments.errors import InputError, OcrError, RetryLater, kinds
from serve_app.schemas import Problem, ProblemKind

MEDIA_TYPE = "application/problem+json"

INTERNAL = ProblemKind(code="internal", title="Internal error", status=500, retry=False)
UNAUTHORIZED = ProblemKind(code="unauthorized", title="An API key is needed", status=401, retry=False)
RATE_LIMITED = ProblemKind(
    code="rate_limited", title="The caller asks for more than its rate admits", status=429, retry=True
)
HEAD_TOO_LARGE = ProblemKind(
    code="head_too_large", title="The head of the request is too large", status=431, retry=False
)
STOPPING = ProblemKind(code="stopping", title="The service is being stopped", status=503, retry=True)
NOT_READY = ProblemKind(code="not_ready", title="The service is warming up", status=503, retry=True)

_OF_HTTP = {
    kind.status: kind
    for kind in (
        ProblemKind(code="not_found", title="There is nothing at this path", status=404, retry=False),
        ProblemKind(
            code="method_not_allowed", title="The path does not take this method", status=405, retry=False
        ),
    )
}


def catalogue() -> dict[str, ProblemKind]:
    """Every kind of problem the service answers with, by code."""
    answered = (kind_of(error) for error in kinds() if _is_leaf(error))
    own = (HEAD_TOO_LARGE, INTERNAL, NOT_READY, RATE_LIMITED, STOPPING, UNAUTHORIZED, *_OF_HTTP.values())
    return {kind.code: kind for kind in sorted((*answered, *own), key=lambda kind: (kind.status, kind.code))}


def kind_of(error: type[OcrError]) -> ProblemKind:
    """The kind of problem that a class of errors is answered with."""
    return ProblemKind(
        code=error.code, title=error.title, status=error.status, retry=issubclass(error, RetryLater)
    )


def kind_of_status(status: int) -> ProblemKind:
    """The kind of a problem that has a status and nothing more."""
    phrase = HTTPStatus(status).phrase
    unnamed = ProblemKind(code=f"http_{status}", title=phrase, status=status, retry=False)
    return _OF_HTTP.get(status, unnamed)


def problem(kind: ProblemKind, detail: str, request_id: str) -> Problem:
    """One occurrence of a kind of problem."""
    return Problem(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=detail or kind.title,
        request_id=request_id,
    )


def for_log(error: OcrError) -> str:
    """What a log says of an error: of a document's own faults the code, since words may tell its name."""
    return error.code if isinstance(error, InputError) else f"{error.code}: {error.public}"


def retry_after_s(error: OcrError) -> int | None:
    """When to come back, in whole seconds as HTTP wants them; None where that makes no sense."""
    return max(1, math.ceil(error.retry_after_s)) if isinstance(error, RetryLater) else None


def retry_headers(error: OcrError) -> Mapping[str, str]:
    """``retry_after_s`` as a header."""
    seconds = retry_after_s(error)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _is_leaf(kind: type[OcrError]) -> bool:
    return [*kinds(kind)] == [kind]
