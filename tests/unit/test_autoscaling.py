"""The policy over contexts as Serve builds them, and over the delays and bounds that Serve applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError
from ray.serve._private.autoscaling_state import _resolve_policy_callable
from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from deployments.autoscaling import QueuedWork, QueuedWorkPolicy, ReplicaLoad, wanted_replicas
from deployments.workload import DONE_PIXELS, PENDING_PIXELS, PIXELS_PER_S

DEPLOYMENT = DeploymentID("RecognitionCrnn", "scriptorium")
SPEED = 1000.0
RULES = QueuedWork(target_utilisation=0.8, drain_s=5)


@dataclass(frozen=True)
class Replica:
    """What one replica reports over ten seconds: constant work, at a known speed or none yet."""

    busy: float = 0.0
    backlog_s: float = 0.0
    pixels_per_s: float = SPEED


def context(*replicas: Replica, running: float = 0.0, queued: float = 0.0) -> AutoscalingContext:
    names = {ReplicaID(f"r{number}", DEPLOYMENT): replica for number, replica in enumerate(replicas)}
    raw = {
        DONE_PIXELS: {
            name: [TimeStampedValue(100 + t, 7e6 + t * replica.busy * SPEED) for t in range(0, 11, 2)]
            for name, replica in names.items()
        },
        PIXELS_PER_S: {
            name: [TimeStampedValue(100, 0.0), TimeStampedValue(110, replica.pixels_per_s)]
            for name, replica in names.items()
        },
    }
    return AutoscalingContext(
        deployment_id=DEPLOYMENT,
        deployment_name=DEPLOYMENT.name,
        app_name=DEPLOYMENT.app_name,
        current_num_replicas=len(replicas),
        target_num_replicas=len(replicas),
        running_replicas=list(names),
        total_num_requests=running + queued,
        total_queued_requests=queued,
        aggregated_metrics={
            PENDING_PIXELS: {name: replica.backlog_s * SPEED for name, replica in names.items()}
        },
        raw_metrics=raw,
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=8,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=110.0,
        config=None,
    )


def wanted(*replicas: Replica, **calls: float) -> float:
    number, state = QueuedWorkPolicy(**RULES.model_dump())(context(*replicas, **calls))
    assert state == {}
    return number


def test_replicas_at_their_target_are_kept() -> None:
    assert wanted(Replica(busy=0.8), Replica(busy=0.8)) == pytest.approx(2)


def test_idle_replicas_are_not_needed() -> None:
    assert wanted(Replica(), Replica(), Replica()) == 0


def test_what_waits_asks_for_replicas_that_drain_it_in_time() -> None:
    # Saturated: 1 / 0.8 replicas for what it does, and 10 s of work to be done within 5 s.
    assert wanted(Replica(busy=1, backlog_s=10)) == pytest.approx(1 / 0.8 + 2)


def test_calls_that_no_replica_has_taken_count_as_those_taken() -> None:
    assert wanted(Replica(backlog_s=4), running=8, queued=24) == pytest.approx(4 * 4 / 5)
    assert wanted(Replica(), running=0, queued=3) == 0


def test_work_counts_not_calls() -> None:
    """One page of two hundred lines asks for as much as a hundred pages of two."""
    one = wanted(Replica(busy=1, backlog_s=4), running=1)
    assert one == wanted(Replica(busy=1, backlog_s=4), running=100)


@pytest.mark.parametrize("backlog_s", [0.0, 1.0, 30.0])
def test_a_busier_replica_never_asks_for_less(backlog_s: float) -> None:
    numbers = [wanted(Replica(busy, backlog_s), Replica()) for busy in (0, 0.3, 0.9, 1)]
    assert numbers == sorted(numbers) and len(set(numbers)) == 4


def test_a_replica_that_has_run_nothing_is_taken_to_be_as_fast_as_the_others() -> None:
    assert wanted(Replica(backlog_s=5), Replica(backlog_s=5, pixels_per_s=0)) == pytest.approx(2)


def test_nothing_known_changes_nothing() -> None:
    assert wanted(Replica(pixels_per_s=0), Replica(backlog_s=9, pixels_per_s=0)) == 2
    assert wanted() == 0


def test_a_replica_is_never_more_than_wholly_busy() -> None:
    """Its speed is an estimate: done faster than that, it is still one replica's work."""
    assert wanted_replicas([ReplicaLoad(0, 5 * SPEED, SPEED)], 0, RULES) == pytest.approx(1 / 0.8)


@pytest.mark.parametrize("kwargs", [{"drain": 5}, {"drain_s": 0}, {"target_utilisation": 1.2}])
def test_wrong_parameters_are_refused(kwargs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        QueuedWorkPolicy(**kwargs)


def test_serve_finds_the_policy_by_its_path_and_keeps_it_within_bounds() -> None:
    """As Serve does: imported, pickled, built once with its parameters, called with a context."""
    config = AutoscalingConfig(
        policy=AutoscalingPolicy(
            policy_function="deployments.autoscaling:QueuedWorkPolicy",
            policy_kwargs={"target_utilisation": 0.5, "drain_s": 2},
        )
    )
    policy = _resolve_policy_callable(config.policy)
    assert policy(context(Replica(busy=0.5))) == (pytest.approx(1), {})
