"""Metrics of the stages: their names, labels and buckets, and how a step is recorded.

Serve adds the labels ``application``, ``deployment`` and ``replica`` to each.
"""

from __future__ import annotations

from ray.serve.metrics import Counter, Histogram

from deployments.batching import Step

STEP_SECONDS = "scriptorium_stage_step_seconds"
STEP_ITEMS = "scriptorium_stage_step_items"
STEP_PADDING = "scriptorium_stage_step_padding_ratio"
WAIT_SECONDS = "scriptorium_stage_queue_wait_seconds"
ITEMS = "scriptorium_stage_items"

SECONDS_BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]
ITEMS_BUCKETS = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]
RATIO_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9]


class StageMetrics:
    """Records each model step of one replica; an instance is the ``observe`` of a Stage."""

    def __init__(self) -> None:
        self._run = Histogram(STEP_SECONDS, "Time of one model step", SECONDS_BUCKETS)
        self._wait = Histogram(WAIT_SECONDS, "Longest wait of a step's items", SECONDS_BUCKETS)
        self._items = Histogram(STEP_ITEMS, "Items in one model step", ITEMS_BUCKETS)
        self._padding = Histogram(STEP_PADDING, "Share of a step that is padding", RATIO_BUCKETS)
        self._total = Counter(ITEMS, "Items through the model")

    def __call__(self, step: Step) -> None:
        self._run.observe(step.run_s)
        self._wait.observe(step.longest_wait_s)
        self._items.observe(step.items)
        self._padding.observe(step.padding)
        self._total.inc(step.items)
