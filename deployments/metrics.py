"""Recording metrics through Ray: what a stage records; ``instruments`` has the names."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

from ray.serve.metrics import Counter, Gauge, Histogram

from deployments import gpu_memory
from deployments.batching import Step
from deployments.errors import OcrError, Outcome
from deployments.instruments import (
    BUSY_SECONDS,
    GPU_MEMORY_BYTES,
    ITEMS,
    PIXELS,
    STEP_ITEMS,
    STEP_PADDING,
    STEP_PIXELS,
    STEP_SECONDS,
    WAIT_SECONDS,
    Instrument,
    MetricKind,
)

# Reading the allocator's statistics takes some 30 us; Prometheus scrapes every 10 s or more.
GPU_MEMORY_EVERY_S = 5.0


def counter(instrument: Instrument) -> Counter:
    """Ray's counter for an instrument."""
    assert instrument.kind is MetricKind.COUNTER
    return Counter(instrument.name, instrument.description, instrument.labels)  # type: ignore[arg-type]


def gauge(instrument: Instrument) -> Gauge:
    """Ray's gauge for an instrument."""
    assert instrument.kind is MetricKind.GAUGE
    return Gauge(instrument.name, instrument.description, instrument.labels)  # type: ignore[arg-type]


def histogram(instrument: Instrument) -> Histogram:
    """Ray's histogram for an instrument."""
    assert instrument.kind is MetricKind.HISTOGRAM
    return Histogram(
        instrument.name,
        instrument.description,
        list(instrument.buckets),
        instrument.labels,  # type: ignore[arg-type]  # Ray's annotation means any length
    )


def result_of(outcome: Outcome[Any]) -> str:
    """``ok``, or the code of the error."""
    return outcome.code if isinstance(outcome, OcrError) else "ok"


class StageMetrics:
    """Records the model steps and the answers of one replica."""

    def __init__(self) -> None:
        self._run = histogram(STEP_SECONDS)
        self._busy = counter(BUSY_SECONDS)
        self._wait = histogram(WAIT_SECONDS)
        self._items = histogram(STEP_ITEMS)
        self._pixels = histogram(STEP_PIXELS)
        self._all_pixels = counter(PIXELS)
        self._padding = histogram(STEP_PADDING)
        self._results = counter(ITEMS)
        self._gpu_memory = gauge(GPU_MEMORY_BYTES)
        self._gpu_memory_read_s = -GPU_MEMORY_EVERY_S

    def step(self, step: Step) -> None:
        """Record a model step."""
        self._run.observe(step.run_s)
        self._wait.observe(step.longest_wait_s)
        self._items.observe(step.items)
        self._pixels.observe(step.pixels)
        self._padding.observe(step.padding)
        for total, amount in ((self._busy, step.run_s), (self._all_pixels, step.pixels)):
            if amount > 0:  # Ray's counters refuse a zero
                total.inc(amount)
        if time.monotonic() - self._gpu_memory_read_s >= GPU_MEMORY_EVERY_S:
            self._gpu_memory_read_s = time.monotonic()
            for state, number_bytes in gpu_memory.in_use_bytes().items():
                self._gpu_memory.set(number_bytes, tags={"state": state})

    def answers(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Count the answers to one call, by result."""
        for result, number in Tally(map(result_of, outcomes)).items():
            self._results.inc(number, tags={"result": result})
