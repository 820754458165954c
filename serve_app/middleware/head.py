"""How large the head of a request may be: servers in front differ in it, and some have no bound."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app import problems
from serve_app.faults import answer_problem


class HeadLimit:
    """ASGI middleware: 431 for a path, query and headers of more than ``max_bytes`` together."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or head_bytes(scope) <= self._max_bytes:
            await self._app(scope, receive, send)
            return
        detail = f"Path, query and headers may have {self._max_bytes} bytes together at most."
        await answer_problem(Request(scope), problems.HEAD_TOO_LARGE, detail)(scope, receive, send)


def head_bytes(scope: Scope) -> int:
    """Bytes of a request's path, query and headers."""
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return len(scope["path"].encode()) + len(scope["query_string"]) + headers
