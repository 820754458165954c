"""Where spans go: to the OpenTelemetry collector that the environment names.

serve_config names ``span_processors`` in ``tracing_config.exporter_import_path``; Serve calls it in
every process that makes spans. The variables are OpenTelemetry's own, OTEL_EXPORTER_OTLP_ENDPOINT
first of all.
"""

from __future__ import annotations

import logging
import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def span_processors() -> list[SpanProcessor]:
    """A processor that sends spans in batches; none where no collector is named."""
    if not any(os.environ.get(name) for name in ENDPOINT_VARIABLES):
        return []
    # Serve keeps the spans of parallel calls in one list, and so writes to one that has ended.
    logging.getLogger("opentelemetry.sdk.trace").setLevel(logging.ERROR)
    return [BatchSpanProcessor(OTLPSpanExporter())]
