"""Exceptions -> problem responses, and the middleware that gives every request its id.

An id that the client sends is kept when it is short and plain, so that a request can be followed
through several services; every answer carries the id back.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.errors import InvalidParameter, OcrError
from serve_app import problems
from serve_app.observer import ToldIn
from serve_app.schemas import Problem, ProblemKind

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"

_PLAIN_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
_CLIENT_CLOSED_REQUEST = 499


def request_id(request: Request) -> str:
    """The id of a request that went through :class:`RequestIds`."""
    identity: str = request.state.request_id
    return identity


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document with its status."""
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        headers=dict(headers or {}),
        media_type=problems.MEDIA_TYPE,
    )


class RequestIds:
    """ASGI middleware: ids in and out, and an answer for exceptions that nothing else expected.

    ``echo`` off leaves the id's way out to the server in front: Serve's writes it by itself.
    """

    def __init__(self, app: ASGIApp, echo: bool = True) -> None:
        self._app = app
        self._echo = echo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        identity = sent if _PLAIN_ID.fullmatch(sent) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = identity
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._echo:
                    MutableHeaders(scope=message)[REQUEST_ID_HEADER] = identity
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            logger.exception("request %s: %s %r failed", identity, scope["method"], scope["path"])
            if started:
                raise
            await _unexpected(Request(scope))(scope, receive, send_marked)


def install_handlers(app: FastAPI, on_problem: Callable[[str, ToldIn], None]) -> None:
    """Have every exception that a route may raise answered as a problem, and its code told."""
    app.state.on_problem = on_problem
    app.add_exception_handler(OcrError, _on_ocr_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameter)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


def tell_problem(request: Request, kind: ProblemKind, told_in: ToldIn = "answer") -> None:
    """Tell ``on_problem`` that a request ends with a problem; whoever answers one otherwise calls this."""
    request.app.state.on_problem(kind.code, told_in)


def answer_problem(
    request: Request, kind: ProblemKind, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """One occurrence of a kind of problem as the answer to a request; ``on_problem`` is told its code."""
    tell_problem(request, kind)
    return problem_response(problems.problem(kind, detail, request_id(request)), headers)


def _unexpected(request: Request) -> Response:
    detail = "The service failed unexpectedly; the reason is in its log under this request id."
    return answer_problem(request, problems.INTERNAL, detail)


def _on_ocr_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OcrError)
    identity = request_id(request)
    if error.status >= 500:
        logger.warning("request %s: %s", identity, problems.for_log(error), exc_info=error.__cause__)
    return answer_problem(request, problems.kind_of(type(error)), error.public, problems.retry_headers(error))


def _on_invalid_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [_parameter_detail(item["loc"], item["msg"], item["type"]) for item in error.errors()]
    return answer_problem(request, problems.kind_of(InvalidParameter), " ".join(details))


def _parameter_detail(loc: tuple[str | int, ...], message: str, kind: str) -> str:
    where, *path = (str(part) for part in loc)
    name = ".".join(path)
    if kind == "extra_forbidden":
        return f"The {where} parameter {name!r} is not known."
    return f"The {where} parameter {name!r} is not valid: {message.removeprefix('Value error, ')}."


def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = problems.kind_of_status(error.status_code)
    detail = f"{request.method} {request.url.path}: {kind.title}."
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(_methods(request))) or headers["Allow"]
    return answer_problem(request, kind, detail, headers)


def _methods(request: Request) -> set[str]:
    """Methods that the path takes, by whichever routes; Starlette names those of the first."""
    found = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in found for method in getattr(route, "methods", None) or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


def _on_disconnect(request: Request, error: Exception) -> Response:
    logger.info("request %s: the client went away", request_id(request))
    return Response(status_code=_CLIENT_CLOSED_REQUEST)
