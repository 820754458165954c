"""All of the middleware, in order."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from serve_app import draining
from serve_app.faults import REQUEST_ID_HEADER, RequestIds
from serve_app.keys import KeyRing
from serve_app.middleware.authentication import KEY_HEADER, Authentication
from serve_app.middleware.bodies import BodyBounds, BodyLimits
from serve_app.middleware.buckets import Buckets
from serve_app.middleware.canonical import CanonicalRequests
from serve_app.middleware.config import Access, Cors
from serve_app.middleware.draining import Draining
from serve_app.middleware.head import HeadLimit
from serve_app.middleware.rate_limits import RateLimiting
from serve_app.middleware.security_headers import SecurityHeaders

SENT_HEADERS = ("Authorization", "Idempotency-Key", KEY_HEADER, "Prefer", REQUEST_ID_HEADER)
SHOWN_HEADERS = (
    REQUEST_ID_HEADER,
    "Content-Disposition",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "WWW-Authenticate",
)


class Bounds(BodyBounds, Protocol):
    """What a request may measure; see ``serve_app.config.Limits``."""

    @property
    def max_head_bytes(self) -> int: ...


class AccessConfig(Protocol):
    """The part of the configuration that the middleware uses."""

    @property
    def access(self) -> Access: ...
    @property
    def limits(self) -> Bounds: ...


def install_middleware(
    app: FastAPI,
    config: AccessConfig,
    *,
    echo_request_id: bool,
    max_bytes_at: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Add everything that ``config`` asks for; what is added last sees a request first.

    ``max_bytes_at`` has the paths at which bodies may have another size than ``config`` says.

    Raises:
        KeysError: the configured keys cannot be read; the service must not start without them.
    """
    access = config.access
    app.add_middleware(BodyLimits, bounds=config.limits, max_bytes_at=max_bytes_at)
    if access.rate_limits.requests_per_minute is not None or access.rate_limits.by_key:
        app.add_middleware(RateLimiting, limits=access.rate_limits, buckets=Buckets(time.monotonic))
    if keys_wanted(access):
        app.add_middleware(Authentication, keys=KeyRing(access.keys, os.environ))
    if folder := os.environ.get(draining.VARIABLE):
        app.add_middleware(Draining, gate=draining.Gate(Path(folder)))
    app.add_middleware(HeadLimit, max_bytes=config.limits.max_head_bytes)
    app.add_middleware(CanonicalRequests)
    app.add_middleware(RequestIds, echo=echo_request_id)
    if access.cors.origins:
        _add_cors(app, access.cors)
    app.add_middleware(SecurityHeaders)


def keys_wanted(access: Access) -> bool:
    """Whether requests need an API key."""
    return bool(access.keys.file or access.keys.environment)


def _add_cors(app: FastAPI, cors: Cors) -> None:
    # Keys come in headers and never as cookies, so no credentials are allowed.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=cors.origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=SENT_HEADERS,
        expose_headers=SHOWN_HEADERS,
        max_age=cors.max_age_s,
    )
