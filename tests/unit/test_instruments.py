from __future__ import annotations

import asyncio
import re
from collections import Counter as Tally
from itertools import pairwise

import pytest
from ray.serve.metrics import Counter

from deployments.batching import Step
from deployments.errors import StageFailed
from deployments.instruments import (
    BUSY_SECONDS,
    FAILURES,
    INSTRUMENTS,
    ITEMS,
    ITEMS_BUCKETS,
    PIXELS,
    STEP_SECONDS,
    MetricKind,
)
from deployments.metrics import StageMetrics, result_of
from serve_app.decoding.protocols import DecoderEnd
from serve_app.jobs.records import JobState, StoreUsage
from serve_app.telemetry import DocumentMetrics


def test_names_are_unique_and_plain() -> None:
    names = [instrument.name for instrument in INSTRUMENTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"scriptorium_[a-z_]+", name) for name in names)


def test_steps_of_one_and_two_items_are_the_middles_of_their_buckets() -> None:
    bounds = ITEMS_BUCKETS
    assert [(low + high) / 2 for low, high in pairwise(bounds)] == [1, 2, 4, 8, 16, 32, 64, 128]


def test_only_histograms_have_buckets_and_theirs_rise() -> None:
    for instrument in INSTRUMENTS:
        assert bool(instrument.buckets) == (instrument.kind is MetricKind.HISTOGRAM), instrument.name
        assert list(instrument.buckets) == sorted(set(instrument.buckets))


def test_series_are_named_as_ray_exports_them() -> None:
    assert ITEMS.series == "ray_scriptorium_stage_items_total"
    assert STEP_SECONDS.series == "ray_scriptorium_stage_step_seconds"


def test_a_result_is_ok_or_the_code_of_its_error() -> None:
    assert [result_of(1), result_of(StageFailed())] == ["ok", "stage_failed"]


def test_time_and_pixels_of_steps_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    added: Tally[str] = Tally()
    monkeypatch.setattr(Counter, "inc", lambda self, value: added.update({self.info["name"]: value}))
    metrics = StageMetrics()
    for run_s, pixels in ((0.25, 900), (0.5, 100)):
        metrics.step(Step(items=2, pixels=pixels, padding=0.1, longest_wait_s=0.1, run_s=run_s))
    assert added == {BUSY_SECONDS.name: 0.75, PIXELS.name: 1000}


def test_a_step_in_no_time_is_recorded() -> None:
    StageMetrics().step(Step(items=1, pixels=9, padding=0.0, longest_wait_s=0.0, run_s=0.0))


@pytest.mark.parametrize(
    ("error", "code"), [(StageFailed("Lost."), "stage_failed"), (RuntimeError("secret"), "internal")]
)
def test_documents_that_fail_are_counted_whatever_they_fail_of(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    told: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        Counter, "inc", lambda self, value=1.0, tags=None: told.append((self.info["name"], tags))
    )
    with pytest.raises(type(error)), DocumentMetrics().document():
        raise error
    assert told == [(FAILURES.name, {"scope": "document", "code": code})]


async def test_a_document_that_nobody_waits_for_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Counter, "inc", lambda self, value=1.0, tags=None: told.append(self.info["name"]))
    with pytest.raises(asyncio.CancelledError), DocumentMetrics().document():
        raise asyncio.CancelledError
    assert not told


def test_labels_and_tags_agree() -> None:
    """Ray raises for a tag that the metric was not declared with."""
    metrics = StageMetrics()
    metrics.step(Step(items=2, pixels=9, padding=0.1, longest_wait_s=0.1, run_s=0.1))
    metrics.answers([1, StageFailed()])
    ingress = DocumentMetrics()
    ingress.problem("overloaded", "answer")
    ingress.stage_refused("detection", "queue_full")
    ingress.turns(in_work=2, waiting=1)
    ingress.turn_taken(0.1)
    ingress.document_refused()
    ingress.decoder_ended(DecoderEnd.CRASHED)
    ingress.jobs_stored(StoreUsage({JobState.QUEUED: 1}, 5.0, 10, 100))
    ingress.job_failed("stage_failed")
