from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from serve_app.trace_export import ENDPOINT_VARIABLES, span_processors


def test_without_a_collector_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert span_processors() == []


@pytest.mark.parametrize("name", ENDPOINT_VARIABLES)
def test_a_collector_is_taken_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    (processor,) = span_processors()
    assert isinstance(processor, BatchSpanProcessor)
    processor.shutdown()
