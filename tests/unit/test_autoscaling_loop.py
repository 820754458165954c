"""The policy in a closed loop with a fluid model of a stage, under Serve's own delays and bounds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import pytest
from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
from ray.serve.autoscaling_policy import _apply_autoscaling_config
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from deployments.autoscaling import QueuedWorkPolicy
from deployments.workload import DONE_PIXELS, PENDING_PIXELS, PIXELS_PER_S

DEPLOYMENT = DeploymentID("Detection", "scriptorium")
SPEED = 1e6
TICK_S = 1.0
START_S = 10
CONFIG = AutoscalingConfig(
    min_replicas=1, max_replicas=20, look_back_period_s=15, upscale_delay_s=5, downscale_delay_s=60
)


class Stage:
    """Work flows in and is shared evenly; a new replica takes ten seconds to start.

    ``arriving`` is in replicas: 1 keeps one wholly busy.
    """

    def __init__(self) -> None:
        self.now_s, self.backlog_s, self.done_s = 0.0, 0.0, 0.0
        self.target = 1
        self.ready_at_s = [0.0]
        self._reports: deque[tuple[float, float, float]] = deque(maxlen=15)
        self._state: dict[str, object] = {}
        self._policy = _apply_autoscaling_config(QueuedWorkPolicy(target_utilisation=0.8, drain_s=10))

    @property
    def replicas(self) -> int:
        return sum(ready_s <= self.now_s for ready_s in self.ready_at_s)

    def tick(self, arriving: float) -> None:
        self.now_s += TICK_S
        done_s = min(self.replicas * TICK_S, self.backlog_s + arriving * TICK_S)
        self.backlog_s += arriving * TICK_S - done_s
        self.done_s += done_s
        self._reports.append((self.now_s, self.backlog_s, self.done_s))
        wanted, self._state = self._policy(self._context())
        self.target = min(max(int(wanted), CONFIG.min_replicas), CONFIG.max_replicas)
        # The newest go first, as those that have not even started.
        self.ready_at_s = self.ready_at_s[: self.target]
        self.ready_at_s += [self.now_s + START_S] * (self.target - len(self.ready_at_s))

    def _context(self) -> AutoscalingContext:
        names = [ReplicaID(str(number), DEPLOYMENT) for number in range(self.replicas)]
        share = SPEED / len(names)
        pending = sum(backlog_s for _, backlog_s, _ in self._reports) / len(self._reports) * share
        done = [TimeStampedValue(at_s, done_s * share) for at_s, _, done_s in self._reports]
        speed = [TimeStampedValue(self.now_s, SPEED)]
        return AutoscalingContext(
            deployment_id=DEPLOYMENT,
            deployment_name=DEPLOYMENT.name,
            app_name=DEPLOYMENT.app_name,
            current_num_replicas=len(names),
            target_num_replicas=self.target,
            running_replicas=names,
            total_num_requests=0.0,
            total_queued_requests=0.0,
            aggregated_metrics={PENDING_PIXELS: dict.fromkeys(names, pending)},
            raw_metrics={
                DONE_PIXELS: dict.fromkeys(names, done),
                PIXELS_PER_S: dict.fromkeys(names, speed),
            },
            capacity_adjusted_min_replicas=CONFIG.min_replicas,
            capacity_adjusted_max_replicas=CONFIG.max_replicas,
            policy_state=self._state,
            last_scale_up_time=None,
            last_scale_down_time=None,
            current_time=self.now_s,
            config=CONFIG,
        )


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    monkeypatch.setattr(time, "time", lambda: made.now_s)
    return made


def follow(stage: Stage, seconds: int, arriving: Callable[[float], float] | float) -> list[int]:
    """Replicas wanted at every second."""
    wanted = []
    for second in range(seconds):
        stage.tick(arriving if isinstance(arriving, float) else arriving(second))
        wanted.append(stage.target)
    return wanted


@pytest.mark.parametrize(("arriving", "needed"), [(0.1, 1), (0.75, 1), (1.5, 2), (2.3, 3), (7.0, 9)])
def test_steady_work_settles_at_what_it_needs(stage: Stage, arriving: float, needed: int) -> None:
    wanted = follow(stage, 900, arriving)
    assert set(wanted[-600:]) == {needed}
    assert stage.backlog_s < 0.1
    assert max(wanted) <= 2.5 * needed, "what waited while replicas started may ask for more, for a while"


def test_replicas_go_when_the_work_has_gone(stage: Stage) -> None:
    follow(stage, 300, 7.0)
    quiet = follow(stage, 200, 0.1)
    left = quiet.index(1)
    assert CONFIG.downscale_delay_s <= left <= CONFIG.downscale_delay_s + 2 * CONFIG.look_back_period_s
    assert set(quiet[left:]) == {1}


def test_one_large_document_is_no_reason_to_scale(stage: Stage) -> None:
    """Thirty pages at once, a tenth of a second each, every minute."""
    wanted = follow(stage, 600, lambda second: 3.0 if second % 60 == 0 else 0.05)
    assert set(wanted) == {1}


def test_a_slow_rise_is_followed(stage: Stage) -> None:
    """Work rises to that of eight replicas within twenty minutes, falls at once, and never waits for long."""
    waits_s = []

    def rise(second: float) -> float:
        waits_s.append(stage.backlog_s / stage.replicas)
        return 0.5 + 7.5 * (second % 1200) / 1200

    wanted = follow(stage, 2400, rise)
    assert max(wanted) >= 10 and min(wanted[1300:1500]) <= 2
    assert max(waits_s) < 2
