"""Request bodies: how large they may be, alone and together, and how slowly they may come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.errors import OcrError, Overloaded, PayloadTooLarge, SlowBody
from serve_app import problems
from serve_app.faults import answer_problem
from serve_app.middleware.paths import route_path


class BodyBounds(Protocol):
    """What a body may measure; see ``serve_app.config.Limits``."""

    @property
    def max_body_bytes(self) -> int: ...
    @property
    def max_bodies_bytes(self) -> int: ...
    @property
    def max_body_s(self) -> float: ...
    @property
    def max_body_idle_s(self) -> float: ...


class BodyLimits:
    """ASGI middleware: whoever reads the body gets PayloadTooLarge or SlowBody where it breaks a bound.

    Bodies are in memory until they are answered, so all of them together have a bound, too; what comes
    beyond it gets Overloaded. A body that declares too many bytes is refused unread. The connection of a
    body that was not read to its end is closed with the answer: what still comes on it is no new request.

    ``max_bytes_at`` has the paths at which bodies may have another size.
    """

    def __init__(
        self, app: ASGIApp, bounds: BodyBounds, max_bytes_at: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._app = app
        self._bounds = bounds
        self._max_bytes_at = max_bytes_at
        self._room = _Room(bounds.max_bodies_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._max_bytes_at.get(route_path(scope), self._bounds.max_body_bytes)
        body = _Body(receive, self._bounds, max_bytes, self._room)

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and body.broken:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        declared = Headers(scope=scope).get("Content-Length", "")
        if declared.isdecimal() and int(declared) > max_bytes:
            error = body.too_large()
            answer = answer_problem(Request(scope), problems.kind_of(type(error)), error.public)
            await answer(scope, receive, send_closing)
            return
        try:
            await self._app(scope, body.receive, send_closing)
        finally:
            self._room.left_bytes += body.held_bytes


@dataclass(slots=True)
class _Room:
    """What all bodies together may still take."""

    left_bytes: int


class _Body:
    """One body on its way in; ``broken`` once it was given up, ``held_bytes`` of it taken from ``room``."""

    def __init__(self, receive: Receive, bounds: BodyBounds, max_bytes: int, room: _Room) -> None:
        self.broken = False
        self.held_bytes = 0
        self._room = room
        self._receive = receive
        self._bounds = bounds
        self._max_bytes = max_bytes
        self._ends_s: float | None = None
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        message = await self._in_time()
        self._hold(len(message.get("body", b"")))
        self._complete = not message.get("more_body", False)
        return message

    def _hold(self, more_bytes: int) -> None:
        if self.held_bytes + more_bytes > self._max_bytes:
            raise self.too_large()
        if more_bytes > self._room.left_bytes:
            raise self._given_up(Overloaded("Other documents take all the memory there is for them", 5))
        self.held_bytes += more_bytes
        self._room.left_bytes -= more_bytes

    async def _in_time(self) -> Message:
        now_s = time.monotonic()
        if self._ends_s is None:
            self._ends_s = now_s + self._bounds.max_body_s
        idle_s = self._bounds.max_body_idle_s
        try:
            async with asyncio.timeout(min(idle_s, self._ends_s - now_s)):
                return await self._receive()
        except TimeoutError:
            total_s = self._bounds.max_body_s
            raise self._given_up(
                SlowBody(f"The body must arrive within {total_s:g} s, with no pause over {idle_s:g} s.")
            ) from None

    def too_large(self) -> OcrError:
        return self._given_up(PayloadTooLarge(f"The request body may have {self._max_bytes} bytes at most."))

    def _given_up(self, error: OcrError) -> OcrError:
        self.broken = True
        return error
