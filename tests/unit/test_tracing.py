from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from deployments import tracing
from deployments.tracing import SERVE_LOGGER, log_through_serve, span


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("ours"))
    return exporter


@pytest.fixture
def serve_log() -> Iterator[Kept]:
    """Serve's logger with a handler of ours; all loggers are as before afterwards."""
    names = (SERVE_LOGGER, *tracing.OUR_LOGGERS)
    before = {name: _state(logging.getLogger(name)) for name in names}
    kept = Kept()
    serve = logging.getLogger(SERVE_LOGGER)
    serve.addHandler(kept)
    serve.setLevel(logging.INFO)
    yield kept
    for name, (level, propagate, handlers, filters) in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:], logger.filters[:] = handlers, filters


def _state(logger: logging.Logger) -> tuple[int, bool, list[logging.Handler], list[object]]:
    return logger.level, logger.propagate, list(logger.handlers), list(logger.filters)


def finished(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {each.name: each for each in exporter.get_finished_spans()}


def test_spans_lie_within_the_span_of_the_request(exporter: InMemorySpanExporter) -> None:
    with tracing._tracer.start_as_current_span("request"), span("page", page=3), span("detection"):
        pass
    spans = finished(exporter)
    assert spans["detection"].parent.span_id == spans["page"].context.span_id
    assert spans["page"].parent.span_id == spans["request"].context.span_id
    assert dict(spans["page"].attributes or {}) == {"page": 3}


def test_an_untraced_request_makes_no_spans(exporter: InMemorySpanExporter) -> None:
    with span("page", page=3):
        pass
    unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer("theirs")
    with unsampled.start_as_current_span("request"), span("page", page=3):
        pass
    assert exporter.get_finished_spans() == ()


def test_records_carry_the_spans_they_were_written_in(serve_log: Kept) -> None:
    log_through_serve()
    log_through_serve()
    logger = logging.getLogger("deployments.batching")
    with span("page", page=3), span("detection", stage="detection"):
        logger.warning("halving", extra={"ray_serve_extra_fields": {"items": 2}})
        logging.getLogger(SERVE_LOGGER).info("direct")
    logger.warning("outside")
    first, direct, outside = serve_log.records
    assert first.getMessage() == "halving"
    assert vars(first)["ray_serve_extra_fields"] == {"page": 3, "stage": "detection", "items": 2}
    assert vars(direct)["ray_serve_extra_fields"] == {"page": 3, "stage": "detection"}
    assert "ray_serve_extra_fields" not in vars(outside)


def test_records_below_the_configured_level_are_dropped(serve_log: Kept) -> None:
    log_through_serve()
    logging.getLogger(SERVE_LOGGER).setLevel(logging.ERROR)
    logging.getLogger("serve_app.api").warning("quiet")
    assert serve_log.records == []
