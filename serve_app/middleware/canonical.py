"""Requests in the form that the routes know: without a stray slash, and HEAD as GET without a body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.middleware.paths import route_path

# Paths that end in a slash; every other one does without.
_SLASHED = frozenset({"/", "/api/"})


class CanonicalRequests:
    """ASGI middleware: what would be redirected for a slash is answered at once, since a redirected
    document is sent twice, and not at all by clients that follow no redirects of a POST."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": _canonical_path(scope)}
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def _canonical_path(scope: Scope) -> str:
    path: str = scope["path"]
    known = route_path(scope)
    if known in _SLASHED:
        return path
    if f"{known}/" in _SLASHED:
        return f"{path}/"
    return path if path.endswith("//") else path.removesuffix("/")
