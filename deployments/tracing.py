"""Spans of a request, and the same words in its log records.

Serve opens a span for every request and every call of a deployment and carries them across
processes; ours lie within them. A request that is not sampled costs a look at a context variable.
Attributes are numbers and names: never text of a document.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from opentelemetry import trace

# Serve's logger: what passes it is written to the replica's log with request id, route and replica.
SERVE_LOGGER = "ray.serve"
OUR_LOGGERS = ("deployments", "serve_app")

Value = str | int | float | bool

_NO_FIELDS: Mapping[str, Value] = MappingProxyType({})

_fields: ContextVar[Mapping[str, Value]] = ContextVar("log_fields", default=_NO_FIELDS)
_tracer = trace.get_tracer("scriptorium")


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[None]:
    """A span below the current one, where the request is traced; its attributes also go into log records."""
    token = _fields.set({**_fields.get(), **attributes})
    try:
        if trace.get_current_span().is_recording():
            with _tracer.start_as_current_span(name, attributes=attributes):
                yield
        else:
            yield
    finally:
        _fields.reset(token)


class SpanFields(logging.Filter):
    """Adds the attributes of the spans that a record was written in, in the place that Serve's JSON reads."""

    def filter(self, record: logging.LogRecord) -> bool:
        given = getattr(record, "ray_serve_extra_fields", {})
        if fields := {**_fields.get(), **given}:
            record.ray_serve_extra_fields = fields
        return True


class _ToServe(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        serve = logging.getLogger(SERVE_LOGGER)
        if serve.isEnabledFor(record.levelno):
            serve.handle(record)


def log_through_serve() -> None:
    """Have our loggers write into the replica's log, with the fields of the spans. Idempotent."""
    serve = logging.getLogger(SERVE_LOGGER)
    if not any(isinstance(each, SpanFields) for each in serve.filters):
        serve.addFilter(SpanFields())
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, _ToServe) for each in logger.handlers):
            logger.addHandler(_ToServe())
        logger.propagate = False
        logger.setLevel(logging.INFO)
