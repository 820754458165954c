"""How often a caller may ask for work, at one ingress replica."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app import problems
from serve_app.faults import answer_problem
from serve_app.middleware.buckets import Buckets, Verdict
from serve_app.middleware.config import Rate, RateLimits

# A network that one subscriber holds: within it an address can be had for every request.
_SUBSCRIBER_BITS = 64
_WITH_PORT = re.compile(r"(?:(?P<v4>[\d.]+)|\[(?P<v6>[\da-fA-F:.]+)\])(?::\d+)?")


class RateLimiting:
    """ASGI middleware: 429 for POST requests over the caller's rate; other methods ask for no work.

    The caller is the API key's name, or the client address where no key was asked for. Every
    counted request is answered with ``RateLimit-Policy`` and ``RateLimit``
    (draft-ietf-httpapi-ratelimit-headers).
    """

    def __init__(self, app: ASGIApp, limits: RateLimits, buckets: Buckets) -> None:
        self._app = app
        self._limits = limits
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        key_name = scope["state"].get("caller")
        rate = self._rate(key_name)
        if rate is None:
            await self._app(scope, receive, send)
            return
        caller = f"key {key_name}" if key_name else client_address(scope, self._limits.trusted_proxies)
        verdict = self._buckets.take(caller, rate)
        headers = rate_headers(rate, verdict)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        if verdict.admitted:
            await self._app(scope, receive, send_marked)
            return
        wait_s = max(1, math.ceil(verdict.retry_after_s))
        detail = (
            f"{rate.requests_per_minute:g} requests a minute are admitted, {rate.burst} of them at once; "
            f"there is room for another in {wait_s} s."
        )
        later = {"Retry-After": str(wait_s)}
        answer = answer_problem(Request(scope), problems.RATE_LIMITED, detail, later)
        await answer(scope, receive, send_marked)

    def _rate(self, key_name: str | None) -> Rate | None:
        if key_name is not None and key_name in self._limits.by_key:
            return self._limits.by_key[key_name]
        per_minute = self._limits.requests_per_minute
        if per_minute is None:
            return None
        return Rate(requests_per_minute=per_minute, burst=self._limits.burst)


def client_address(scope: Scope, trusted_proxies: int) -> str:
    """Where a request comes from: an IPv4 address, or the /64 network of an IPv6 address.

    Each trusted proxy has appended to X-Forwarded-For the address that it saw, some with its port; what
    stands before their entries is the client's own say and not believed.
    """
    peer: str = (scope.get("client") or ("unknown", 0))[0]
    if trusted_proxies:
        values = Headers(scope=scope).getlist("X-Forwarded-For")
        entries = [entry.strip() for value in values for entry in value.split(",") if entry.strip()]
        if entries:
            peer = entries[-min(trusted_proxies, len(entries))]
    with_port = _WITH_PORT.fullmatch(peer)
    try:
        address = ipaddress.ip_address(with_port["v4"] or with_port["v6"] if with_port else peer)
    except ValueError:
        return peer[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _SUBSCRIBER_BITS), strict=False))
    return str(address)


def rate_headers(rate: Rate, verdict: Verdict) -> Mapping[str, str]:
    """The rate and what is left of it: quota and remaining requests, window and reset in seconds."""
    window_s = math.ceil(rate.burst / rate.requests_per_minute * 60)
    return {
        "RateLimit-Policy": f'"requests";q={rate.burst};w={window_s}',
        "RateLimit": f'"requests";r={verdict.remaining};t={math.ceil(verdict.full_after_s)}',
    }
