"""The same graph with ``@serve.batch`` in place of our batcher: a Serve application to compare with.

``import_path: benchmarks.speed.serve_batch:build``. The deployments keep their names, engines,
configuration and metrics; only the queue in front of the model is another. It has Serve's default
wait and as many items in a batch as ours.
"""

# No postponed annotations here: Serve validates ``args`` by the class that ``build`` is annotated with.
import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from deployments.batching import BatchLimits, Step, padding, run_isolated
from deployments.classification.config import ClassificationArgs, ClassificationTuning
from deployments.classification.engines import build_engine as build_classifier
from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.engines import build_engine as build_detector
from deployments.engine import Prepared
from deployments.metrics import StageMetrics
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.engines import build_engine as build_recogniser
from deployments.settings import StageTuning
from deployments.stage import Stage
from serve_app.config import AppConfig, recognition_name
from serve_app.ingress import OcrIngress

Run = Callable[[Sequence[Prepared[Any]]], Awaitable[Sequence[Any]]]


class ServeBatcher:
    """``@serve.batch`` behind the methods of :class:`deployments.batching.Batcher` that a Stage uses."""

    alive = True
    step_age_s = 0.0
    pending_pixels = 0

    def __init__(self, run: Run, limits: BatchLimits, observe: Callable[[Step], None]) -> None:
        self._run = run
        self._observe = observe
        self._waiting = 0
        self.limits = limits

    @property
    def limits(self) -> BatchLimits:
        """Bounds of a batch, of which ``@serve.batch`` knows the number of items."""
        return self._limits

    @limits.setter
    def limits(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._step.set_max_batch_size(limits.max_items)

    @property
    def queued(self) -> int:
        """Items that wait."""
        return self._waiting

    @contextlib.contextmanager
    def announce(self) -> Iterator[None]:
        """``@serve.batch`` does not know what is on its way."""
        yield

    async def submit(self, items: Sequence[Prepared[Any]], deadline_s: float = math.inf) -> list[Any]:
        """Queue items one by one and wait for all; ``@serve.batch`` knows no deadline."""
        self._waiting += len(items)
        try:
            arrived_s = time.monotonic()
            return list(await asyncio.gather(*(self._step((item, arrived_s)) for item in items)))
        finally:
            self._waiting -= len(items)

    async def close(self) -> None:
        """Nothing to stop."""

    @serve.batch(max_batch_size=16)
    async def _step(self, tickets: list[tuple[Prepared[Any], float]]) -> list[Any]:
        started_s = time.monotonic()
        items = [item for item, _ in tickets]
        outcomes = await run_isolated(self._run, items)
        self._observe(
            Step(
                items=len(items),
                pixels=sum(item.height * item.width for item in items),
                padding=padding(items),
                longest_wait_s=started_s - min(arrived_s for _, arrived_s in tickets),
                run_s=time.monotonic() - started_s,
            )
        )
        return outcomes


class _ServeBatchStage(Stage[Any, Any]):
    def __init__(self, engine: Any, tuning: type[StageTuning]) -> None:
        super().__init__(engine, tuning, StageMetrics())
        self._batcher = ServeBatcher(self._forward, self._tuning.batch, self._count)  # type: ignore[assignment]


@serve.deployment
class Detection(_ServeBatchStage):
    """Detection with ``@serve.batch``."""

    def __init__(self, args: DetectionArgs) -> None:
        super().__init__(build_detector(args), DetectionTuning)


@serve.deployment
class Classification(_ServeBatchStage):
    """Classification with ``@serve.batch``."""

    def __init__(self, args: ClassificationArgs) -> None:
        super().__init__(build_classifier(args), ClassificationTuning)


@serve.deployment
class Recognition(_ServeBatchStage):
    """Recognition with ``@serve.batch``."""

    def __init__(self, args: RecognitionArgs) -> None:
        super().__init__(build_recogniser(args), RecognitionTuning)


def build(args: AppConfig) -> Application:
    """The graph of ``serve_app.app.build`` with these stages."""
    recognition: Mapping[str, DeploymentHandle[Any]] = {
        engine: Recognition.options(name=recognition_name(engine)).bind(engine_args)
        for engine, engine_args in args.recognition.in_use.items()
    }
    return OcrIngress.bind(
        args, Detection.bind(args.detection), Classification.bind(args.classification), recognition
    )
