"""Requests need an API key, but for what a person or a probe opens without one."""

from __future__ import annotations

import logging
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app import problems
from serve_app.faults import answer_problem
from serve_app.middleware.paths import route_path

logger = logging.getLogger(__name__)

KEY_HEADER = "X-API-Key"
_HOW = f"Send an API key, as 'Authorization: Bearer KEY' or '{KEY_HEADER}: KEY'."
_REALM = 'Bearer realm="scriptorium"'

# Pages and their files (they ask for a key themselves), the contract, and what probes look at. All
# else needs a key, so that a new route is closed until it is opened here.
OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
OPEN_BELOW = ("/static/", "/swagger/", "/problems/")


class Keys(Protocol):
    """Knows whose key a key is."""

    def owner(self, key: str) -> str | None: ...


class Authentication:
    """ASGI middleware: 401 without a key of ``keys``, given as ``Authorization: Bearer`` or ``X-API-Key``.

    The name of the key is left in ``scope["state"]["caller"]``; the key itself is kept nowhere.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(route_path(scope)):
            await self._app(scope, receive, send)
            return
        key = presented_key(Headers(scope=scope))
        caller = self._keys.owner(key) if key else None
        if caller is None:
            await self._refuse(scope, receive, send, presented=bool(key))
            return
        scope["state"]["caller"] = caller
        await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, *, presented: bool) -> None:
        identity = scope["state"]["request_id"]
        logger.info("request %s: refused, %s", identity, "unknown key" if presented else "no key")
        detail = "The API key is not known." if presented else _HOW
        # The forms of RFC 6750, section 3.
        challenge = f'{_REALM}, error="invalid_token"' if presented else _REALM
        answer = answer_problem(
            Request(scope), problems.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge}
        )
        await answer(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path is answered without a key."""
    return path in OPEN_PATHS or path.startswith(OPEN_BELOW)


def presented_key(headers: Headers) -> str | None:
    """The key that a request carries; a bearer token comes before ``X-API-Key``."""
    scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get(KEY_HEADER, "").strip() or None
