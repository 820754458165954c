"""What the three Serve deployments share: threads, batcher, live tuning, health.

A ``Stage`` drives one engine. It answers a list call with one outcome per item and knows no Ray,
so it can be tested in a plain event loop; ``*/deployment.py`` makes Serve deployments of it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from deployments.batching import Batcher, Step
from deployments.doubt import Doubt
from deployments.engine import Engine, Prepared
from deployments.errors import OcrError, Outcome, StageFailed, StageUnavailable
from deployments.portions import Portions
from deployments.settings import StageTuning
from deployments.shared_images import SharedImages, received
from deployments.soundness import checked
from deployments.threads import give_way
from deployments.tracing import span
from deployments.workload import DONE_PIXELS, PENDING_PIXELS, PIXELS_PER_S, WorkMeter

logger = logging.getLogger(__name__)

# A blank image that every engine takes: a page, and a line.
_BLANK_SHAPE = (64, 256, 3)

# A replica whose model is broken is not replaced before some checks of its health have failed. Meanwhile it
# keeps each call for so long, or it would look idle and draw calls from those that work; seconds.
BROKEN_PAUSE_S = 2.0
_REPLACED_AFTER_S = 5.0

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
InT = TypeVar("InT")
OutT = TypeVar("OutT")


@dataclass(frozen=True, slots=True)
class StageStatus:
    """State of one replica: its engine, items that wait, and model steps and items since its start."""

    engine: str
    queued: int
    steps: int
    items: int


class Observer(Protocol):
    """Is told what a stage does, for metrics."""

    def step(self, step: Step) -> None:
        """A model step is over."""
        ...

    def answers(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """A call has been answered."""
        ...


class Unobserved:
    """The observer of a stage that nobody watches."""

    def step(self, step: Step) -> None: ...

    def answers(self, outcomes: Sequence[Outcome[Any]]) -> None: ...


class Stage(Generic[ItemT, ResultT]):
    """One engine behind a batcher.

    Torch runs in one thread of its own, so that the event loop keeps turning (and answering
    health checks) while the model works; preparing and finishing run in a small pool and overlap
    the model's work on other batches.

    Args:
        engine: the model; warmed up here, so a constructed stage is ready for traffic.
        tuning_model: class of this stage's ``user_config``; its defaults hold until ``reconfigure``.
        observer: is told of every model step and answer.
    """

    def __init__(
        self,
        engine: Engine[ItemT, Any, Any, ResultT],
        tuning_model: type[StageTuning],
        observer: Observer | None = None,
    ) -> None:
        self._engine = engine
        self._tuning_model = tuning_model
        self._tuning = tuning_model()
        self._model_thread = ThreadPoolExecutor(1, thread_name_prefix="model", initializer=give_way)
        self._portions = Portions()
        self._observer = observer or Unobserved()
        self._steps = self._items = 0
        self._work = WorkMeter()
        self._doubt = Doubt(self._try_model)
        self._batcher: Batcher[Prepared[Any], Any] = Batcher(self._forward, self._tuning.batch, self._count)
        engine.configure(self._tuning)
        self._model_thread.submit(engine.warm_up).result()

    async def __call__(
        self, items: Sequence[ItemT] | SharedImages, budget_s: float | None = None
    ) -> list[Outcome[ResultT]]:
        """Process items; each gets its own value or error, in order.

        Once ``budget_s`` seconds have passed here nobody waits any more: items that are not in the
        model by then, or wait to be finished, get DeadlineExceeded.

        Raises:
            StageUnavailable: the stage is shutting down, or its model is broken.
            NotShared: the items are in the memory of another machine.
        """
        await self._refuse_if_broken(budget_s)
        items = received(items)
        deadline_s = math.inf if budget_s is None else time.monotonic() + budget_s
        with self._batcher.announce(), span("prepare", items=len(items)):
            prepared = await self._portions.run(self._engine.prepare, items, deadline_s)
        with span("model"):
            raw = await _apply(lambda values: self._batcher.submit(values, deadline_s), prepared)
        if any(isinstance(outcome, StageFailed) for outcome in raw):
            # Not these items, as it turned out meanwhile.
            await self._refuse_if_broken(deadline_s - time.monotonic())
        with span("finish"):
            finish = partial(self._portions.run, self._engine.finish, deadline_s=deadline_s)
            finished = await _apply(finish, raw)
        answers = [checked(outcome) for outcome in finished]
        self._observer.answers(answers)
        return answers

    def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take new tuning; the next model step obeys it.

        Raises:
            pydantic.ValidationError: a key or value is wrong; the old tuning stays.
        """
        tuning = self._tuning_model.model_validate(user_config)
        self._engine.configure(tuning)
        self._batcher.limits = tuning.batch
        self._tuning = tuning

    def status(self) -> StageStatus:
        """What the stage is and has done; it answers only once warm, for it is built warm."""
        return StageStatus(self._engine.name, self._batcher.queued, self._steps, self._items)

    def check_health(self) -> None:
        """Raise if the batcher has died, or the engine hangs or fails on everything; Serve then replaces
        the replica.
        """
        if not self._batcher.alive:
            raise RuntimeError("the batcher is no longer running")
        if self._doubt.broken:
            raise RuntimeError(f"the model fails on a blank image, too: {self._doubt.broken}")
        age_s = self._batcher.step_age_s
        if age_s > self._tuning.max_step_s:
            raise RuntimeError(f"a model step has been running for {age_s:.0f} s")
        age_s = self._portions.age_s
        if age_s > self._tuning.max_step_s:
            raise RuntimeError(f"preparing or finishing has been running for {age_s:.0f} s")

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Work of this replica in pixels of model input, for ``deployments.autoscaling``.

        The names are those of ``deployments.workload``; work done counts from the replica's start.
        """
        return {
            PENDING_PIXELS: float(self._batcher.pending_pixels),
            DONE_PIXELS: float(self._work.done_pixels),
            PIXELS_PER_S: self._work.pixels_per_s,
        }

    async def close(self) -> None:
        """Stop taking items and release the threads."""
        await self._batcher.close()
        self._model_thread.shutdown(wait=False, cancel_futures=True)
        self._portions.close()

    async def _refuse_if_broken(self, left_s: float | None) -> None:
        """Raise StageUnavailable where the model is broken: what it fails on another replica can do."""
        if self._doubt.broken:
            await asyncio.sleep(min(BROKEN_PAUSE_S, math.inf if left_s is None else max(left_s, 0.0)))
            raise StageUnavailable("The model is broken and will be replaced", _REPLACED_AFTER_S)

    async def _forward(self, batch: Sequence[Prepared[Any]]) -> Sequence[Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._model_thread, self._engine.forward, batch)

    def _count(self, step: Step) -> None:
        failed = step.failed == step.items
        self._steps += 1
        self._items += step.items
        # Failing is no work: it takes no time, and would tell of a speed that nobody has.
        if not failed:
            self._work.count(step)
        self._doubt.count(failed=failed)
        self._observer.step(step)

    async def _try_model(self) -> None:
        blank: Any = np.full(_BLANK_SHAPE, 255, np.uint8)
        prepared = await self._portions.run(self._engine.prepare, [blank])
        await self._forward([item for item in prepared if not isinstance(item, OcrError)])


async def _apply(step: Callable[[list[Any]], Any], outcomes: Sequence[Outcome[InT]]) -> list[Outcome[Any]]:
    """Run a list step on the values among outcomes; errors keep their places."""
    kept = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, OcrError)]
    answers: list[Outcome[Any]] = list(outcomes)
    for i, answer in zip(kept, await step([outcomes[i] for i in kept]), strict=True):
        answers[i] = answer
    return answers
