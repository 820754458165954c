from __future__ import annotations

import itertools
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks.load.documents import draw
from benchmarks.load.traffic import KINDS, Arrival, Phase, arrivals, duration_s
from deployments.engine import Prepared
from deployments.fakes import FakeBehaviour, FakeDetector, FakeRecogniser
from deployments.settings import StageTuning
from deployments.types import Kind


def phase(name: str = "steady", **changes: Any) -> Phase:
    usual = {"name": name, "duration_s": 100, "documents_per_s": (20, 20), "mix": {"letter": 1}}
    return Phase(**{**usual, **changes})


def test_the_same_seed_gives_the_same_traffic() -> None:
    first, again, other = (list(arrivals([phase()], seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_arrivals_are_in_order_numbered_and_within_their_phase() -> None:
    phases = [phase("a"), phase("nothing", documents_per_s=(0, 0)), phase("b", mix={"scan": 1})]
    found = list(arrivals(phases, 3))
    assert [arrival.number for arrival in found] == list(range(len(found)))
    assert all(one.at_s <= next_one.at_s for one, next_one in itertools.pairwise(found))
    assert {(arrival.phase, arrival.kind) for arrival in found} == {("a", "letter"), ("b", "scan")}
    assert all((arrival.at_s < 100) == (arrival.phase == "a") for arrival in found)
    assert all(200 <= arrival.at_s < 300 for arrival in found if arrival.phase == "b")
    assert duration_s(phases) == 300


def test_the_rate_is_kept_and_gaps_are_those_of_a_poisson_process() -> None:
    found = list(arrivals([phase(duration_s=500)], 4))
    assert len(found) == pytest.approx(10_000, rel=0.04)  # four deviations of 100
    gaps_s = [after.at_s - before.at_s for before, after in itertools.pairwise(found)]
    # A gap of a Poisson process exceeds its mean in a share 1/e of cases.
    assert sum(gap > 1 / 20 for gap in gaps_s) / len(gaps_s) == pytest.approx(0.368, abs=0.02)


def test_a_ramp_brings_most_documents_at_its_high_end() -> None:
    found = list(arrivals([phase(documents_per_s=(0, 40))], 5))
    late = sum(arrival.at_s > 50 for arrival in found)
    assert late / len(found) == pytest.approx(0.75, abs=0.05)


def test_kinds_come_as_the_mix_says() -> None:
    found = Counter(arrival.kind for arrival in arrivals([phase(mix={"letter": 1, "scan": 3})], 6))
    assert found["scan"] / found.total() == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mix": {"postcard": 1}},
        {"mix": {"letter": 0}},
        {"mix": {"letter": -1, "scan": 2}},
        {"mix": {}},
        {"documents_per_s": (-1, 2)},
        {"duration_s": 0},
        {"durations": 3},
    ],
    ids=str,
)
def test_impossible_traffic_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        phase(**wrong)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_document_says_what_it_is_expected_to(kind: str) -> None:
    arrival = Arrival(number=7, at_s=0, phase="a", kind=kind)
    document = draw(arrival, 1)
    assert document == draw(arrival, 1) != draw(arrival, 2)
    least, greatest = KINDS[kind].lines
    assert least <= len(document.texts) <= greatest
    assert document.kind == (Kind.HANDWRITTEN if KINDS[kind].handwritten else Kind.PRINTED)


def test_a_fake_engine_costs_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    slept_s: list[float] = []
    monkeypatch.setattr("deployments.fakes.time", SimpleNamespace(sleep=slept_s.append))
    behaviour = FakeBehaviour(step_ms=5, item_ms=1, megapixel_ms=1000)
    for engine in (FakeDetector(behaviour), FakeRecogniser(behaviour)):
        engine.configure(StageTuning())
        page = np.full((100, 200, 3), 255, np.uint8)
        engine.forward([Prepared(page, 100, 200)] * 2)
    assert slept_s == pytest.approx([0.005 + 0.002 + 0.04] * 2)
