"""How many replicas a stage needs, from the work that waits in it and the work it does.

Serve's own policy counts requests. A request to a stage is a page, and a page has one line or two
hundred: this policy counts work instead (``deployments.workload``), for each stage by itself.
serve_config.yaml names it in ``autoscaling_config.policy`` of a stage. Serve puts the result
between ``min_replicas`` and ``max_replicas`` and applies the delays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ray.serve.config import AutoscalingContext

from deployments.workload import DONE_PIXELS, PENDING_PIXELS, PIXELS_PER_S


class QueuedWork(BaseModel):
    """``policy_kwargs`` of the policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_utilisation: float = Field(
        0.8,
        gt=0,
        le=1,
        description="share of its time that a replica's model should be at work, if all steps were full; "
        "what is left takes up bursts",
    )
    drain_s: float = Field(
        5.0,
        gt=0,
        description="time in which extra replicas should work off what waits, seconds; about as long as a "
        "replica takes to start, for sooner it cannot help",
    )


@dataclass(frozen=True, slots=True)
class ReplicaLoad:
    """One replica over the look-back period: work waiting or in its model, work done each second,
    and the speed of a full step, 0 where no step has run yet. Pixels and pixels per second."""

    pending_pixels: float
    done_pixels_per_s: float
    pixels_per_s: float


def wanted_replicas(loads: Sequence[ReplicaLoad], unassigned_share: float, rules: QueuedWork) -> float | None:
    """Replicas that carry the present work and drain what waits in ``drain_s``.

    Args:
        loads: the running replicas that have reported.
        unassigned_share: calls that no replica has taken yet, for each call that one has; they are
            taken to be as large.

    Returns:
        A number that is yet to be rounded up; None while no replica knows its speed.
    """
    speeds = [load.pixels_per_s for load in loads if load.pixels_per_s > 0]
    if not speeds:
        return None
    usual_speed = sum(speeds) / len(speeds)
    busy = backlog_s = 0.0
    for load in loads:
        speed = load.pixels_per_s or usual_speed
        busy += min(1.0, load.done_pixels_per_s / speed)
        backlog_s += load.pending_pixels / speed
    return busy / rules.target_utilisation + backlog_s * (1 + unassigned_share) / rules.drain_s


class QueuedWorkPolicy:
    """The policy as Serve calls it, several times a second, in its controller."""

    def __init__(self, **policy_kwargs: Any) -> None:
        """Raises pydantic.ValidationError for parameters that ``QueuedWork`` does not have."""
        self._rules = QueuedWork(**policy_kwargs)

    def __call__(self, context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
        """Replicas wanted, and no state; as many as now while nothing is known."""
        running_calls = context.total_running_requests
        unassigned = context.total_queued_requests / running_calls if running_calls else 0.0
        wanted = wanted_replicas(replica_loads(context), unassigned, self._rules)
        return (float(context.target_num_replicas) if wanted is None else wanted), {}


def replica_loads(context: AutoscalingContext) -> list[ReplicaLoad]:
    """What the running replicas reported over the look-back period."""
    pending = (context.aggregated_metrics or {}).get(PENDING_PIXELS, {})
    history: Mapping[str, Mapping[Any, Any]] = context.raw_metrics or {}
    done, speeds = history.get(DONE_PIXELS, {}), history.get(PIXELS_PER_S, {})
    return [
        ReplicaLoad(pixels, _rate(done.get(replica, ())), _latest(speeds.get(replica, ())))
        for replica, pixels in pending.items()
    ]


def _rate(points: Sequence[Any]) -> float:
    """Growth of a counter each second, from its first and last point."""
    if len(points) < 2 or points[-1].timestamp <= points[0].timestamp:
        return 0.0
    rate: float = (points[-1].value - points[0].value) / (points[-1].timestamp - points[0].timestamp)
    return rate


def _latest(points: Sequence[Any]) -> float:
    return float(points[-1].value) if points else 0.0
