"""Who may call the service, how often, and from which web pages. Everything is off by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

_ORIGIN = re.compile(r"\*|https?://[^/?#\s*]+")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeySource(_Frozen):
    """Where the hashes of the API keys stand, one line a key as ``serve_app.keys`` prints it.

    With a source, requests need a key; with both, a key of either is good.
    """

    file: str | None = Field(
        None,
        min_length=1,
        description="absolute path of a file with a line for each API key (`.venv/bin/python -m "
        "serve_app.keys new NAME`); a change to it is taken over within seconds. Without it and "
        "`environment`, nobody is asked for a key",
    )
    environment: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable of the ingress that holds such lines, read at start",
    )

    @field_validator("file")
    @classmethod
    def _is_absolute(cls, file: str | None) -> str | None:
        # Replicas run in a directory of Ray's choosing.
        if file is not None and not Path(file).is_absolute():
            raise ValueError(f"{file!r} is no absolute path")
        return file


class Rate(_Frozen):
    """A token bucket: ``burst`` requests at once, refilled at ``requests_per_minute``."""

    requests_per_minute: float = Field(gt=0)
    burst: int = Field(ge=1)


class RateLimits(_Frozen):
    """How many requests for work each caller may send to one ingress replica (429)."""

    requests_per_minute: float | None = Field(
        None,
        gt=0,
        description="POST requests a minute that one API key, or where no keys are asked for one client "
        "address, may send to each ingress replica (429). Without it there is no limit",
    )
    burst: int = Field(10, ge=1, description="how many of them may come at once, after a pause (429)")
    by_key: Mapping[str, Rate] = Field(
        default_factory=dict,
        description="`requests_per_minute` and `burst` of single API keys, by name, instead of those above",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        description="proxies in front of the service that append to X-Forwarded-For: the client address is "
        "the entry that the outermost of them wrote. 0: the header is not believed",
    )


class Cors(_Frozen):
    """Web pages of other origins that may call the service from a browser."""

    origins: tuple[str, ...] = Field(
        (),
        description="origins of web pages that may call the service, such as `https://app.example.org`; "
        "`*`: all. None by default, and the service sends no CORS headers then",
    )
    max_age_s: int = Field(600, ge=0, description="how long browsers may remember a preflight, seconds")

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: scheme://host[:port] without a path, or *")
        return origins


class Access(_Frozen):
    """Who may call the service."""

    keys: KeySource = Field(default_factory=KeySource)
    rate_limits: RateLimits = Field(default_factory=RateLimits)
    cors: Cors = Field(default_factory=Cors)
