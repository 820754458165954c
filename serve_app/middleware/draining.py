"""No new work while the service is being stopped."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app import problems
from serve_app.draining import Gate
from serve_app.faults import answer_problem

_RETRY_AFTER_S = 10


class Draining:
    """ASGI middleware: 503 for work and for readiness once the service stops; what is in hand goes on."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] != "POST" and not scope["path"].endswith("/readyz")):
            await self._app(scope, receive, send)
            return
        if not self._gate.enter():
            headers = {"Retry-After": str(_RETRY_AFTER_S), "Connection": "close"}
            answer = answer_problem(Request(scope), problems.STOPPING, problems.STOPPING.title, headers)
            await answer(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._gate.leave()
