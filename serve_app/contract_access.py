"""What openapi.json says of the middleware: keys, rates, bodies and request ids, on every operation alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployments.errors import PayloadTooLarge, SlowBody
from serve_app import problems
from serve_app.contract_parts import EXAMPLE_ID, problem_responses
from serve_app.faults import REQUEST_ID_HEADER
from serve_app.middleware.authentication import KEY_HEADER, is_open
from serve_app.schemas import ProblemKind

_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, where the service asks for one",
    },
    "header": {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "The same API key"},
}
_EITHER_KEY: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "how to send a key (RFC 6750)",
        "schema": {"type": "string"},
        "example": 'Bearer realm="scriptorium"',
    }
}
_RATE_HEADERS = {
    "RateLimit-Policy": {
        "description": "where rates are limited: requests that may come at once, and the seconds after which "
        "they may again",
        "schema": {"type": "string"},
        "example": '"requests";q=10;w=10',
    },
    "RateLimit": {
        "description": "where rates are limited: requests left, and the seconds until all of them are back",
        "schema": {"type": "string"},
        "example": '"requests";r=9;t=1',
    },
}
_REQUEST_ID_PARAMETER = {
    "name": REQUEST_ID_HEADER,
    "in": "header",
    "required": False,
    "description": "id of the request in logs and in its answer; one that is long or not plain is replaced",
    "schema": {"type": "string"},
    "example": EXAMPLE_ID,
}


def describe_access(document: dict[str, Any], *, keys_wanted: bool) -> None:
    """Add the middleware's part to a complete OpenAPI document.

    ``keys_wanted`` tells whether this service asks for keys; where it does not, they are optional.
    """
    document["components"]["securitySchemes"] = _SCHEMES
    for path, method, operation in _operations(document):
        operation.setdefault("parameters", []).append(_REQUEST_ID_PARAMETER)
        kinds: list[ProblemKind] = [problems.HEAD_TOO_LARGE]
        if not is_open(path):
            operation["security"] = _EITHER_KEY if keys_wanted else [{}, *_EITHER_KEY]
            kinds.append(problems.UNAUTHORIZED)
        if "requestBody" in operation:
            kinds += map(problems.kind_of, (SlowBody, PayloadTooLarge))
        if method == "post":
            kinds.append(problems.RATE_LIMITED)
        _add_responses(operation, problem_responses(*kinds))
        _add_headers(operation, method)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _add_responses(operation: dict[str, Any], added: dict[int, Any]) -> None:
    """Add those that are not there; examples of problems join the ones that are."""
    responses = operation["responses"]
    for number, response in added.items():
        status = str(number)
        content = responses.setdefault(status, response)["content"][problems.MEDIA_TYPE]
        content["examples"] |= response["content"][problems.MEDIA_TYPE]["examples"]
    operation["responses"] = dict(sorted(responses.items()))


def _add_headers(operation: dict[str, Any], method: str) -> None:
    for status, response in operation["responses"].items():
        own = dict(response.get("headers", {}))
        if status == str(problems.UNAUTHORIZED.status):
            own |= _CHALLENGE
        elif method == "post":
            own |= _RATE_HEADERS
        response["headers"] = own
