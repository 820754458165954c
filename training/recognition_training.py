"""The training loop of the recognisers: bf16, averaged weights, a cosine schedule, resumable."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch
from torch import nn
from torch.utils.data import DataLoader

from deployments.recognition.preprocess import LineFormat
from deployments.weights import WeightsError
from training.checkpoints import LAST, AveragedWeights, Budget, CurveLog, cosine_rate, load, save
from training.lines_data import BatchPlan, LineBatch, LineStream, Source
from training.metrics import score_readings
from training.recognition_export import hardware
from training.recognition_models import TrainableReader

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a recogniser is trained. Either limit, ``minutes`` or ``steps``, ends the run."""

    sources: tuple[Source, ...]
    valid: tuple[Source, ...] = ()
    minutes: float | None = None
    steps: int | None = None
    rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-2
    clip: float = 2.0
    average_decay: float = 0.999
    plan: BatchPlan = field(default_factory=BatchPlan)
    seed: int = 0
    workers: int = 0
    save_every_s: float = 120.0
    log_every_s: float = 20.0
    valid_every_s: float = 300.0
    valid_batches: int = 8


class Training:
    """One run: builds its state, resumes from ``run_dir/last.pt`` where there is one, and runs.

    Args:
        reader: the recogniser to train; moved to ``device``.
        recipe: what to train it on and how.
        run_dir: where checkpoints and curves go.
        device: CPU or CUDA.

    Raises:
        training.lines_data.NoLines: the validation sources have no line that fits the reader.
        deployments.weights.WeightsError: the run was begun with lines prepared otherwise.
    """

    def __init__(self, reader: TrainableReader, recipe: Recipe, run_dir: Path, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.reader = reader
        self.recipe = recipe
        self.run_dir = run_dir
        self.device = device
        self.step = self.lines = 0
        # The first validation comes after minutes: what is wrong with its lines is said before them.
        if recipe.valid:
            next(self._validation())
        self.module = reader.module.to(device)
        self.average = AveragedWeights(self.module, recipe.average_decay)
        self.optimizer = torch.optim.AdamW(
            _groups(self.module, recipe.weight_decay), lr=recipe.rate, fused=True
        )
        self.curve = CurveLog(run_dir / "curve.csv")
        self._stop = False
        self.budget = Budget(recipe.minutes, recipe.steps, self._resume())

    def run(self) -> float | None:
        """Train until the budget is spent or the process is told to stop; last validation CER."""
        self._stop_on_signals()
        self.module.train()
        clock = _Clocks(self.lines)
        loss_sum, counted, cer = 0.0, 0, None
        for batch in self._batches():
            if self._stop or self.budget.progress(self.step) >= 1:
                break
            loss_sum += self._update(batch)
            counted += 1
            if clock.due("log", self.recipe.log_every_s):
                self._report(loss_sum / counted, clock.rate(self.lines))
                loss_sum, counted = 0.0, 0
            if self.recipe.valid and clock.due("valid", self.recipe.valid_every_s):
                cer = self.validate()
            if clock.due("save", self.recipe.save_every_s):
                self.save()
        if counted:
            self._report(loss_sum / counted, clock.rate(self.lines))
        self.save()
        return self.validate() if self.recipe.valid else cer

    def validate(self) -> float:
        """CER of the averaged weights on the same first batches of the validation sources."""
        held = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.average.values)
        self.module.eval()
        pairs: list[tuple[str, str]] = []
        with torch.inference_mode():
            for batch in self._validation():
                pairs += zip(self.reader.read(batch.images.to(self.device)), batch.texts, strict=True)
        self.module.load_state_dict(held)
        self.module.train()
        cer = score_readings(pairs).cer
        for reading, reference in pairs[:: max(1, len(pairs) // 4)][:4]:
            logger.info("  %r read as %r", reference, reading)
        logger.info("step %d: validation CER %.4f over %d lines", self.step, cer, len(pairs))
        self.curve.write(step=self.step, minutes=self.budget.spent_s / 60, lines=self.lines, valid_cer=cer)
        return cer

    def save(self) -> None:
        """Write ``last.pt``."""
        save(
            self.run_dir / LAST,
            {
                "module": self.module.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "engine": self.reader.engine,
                "hardware": hardware(),
                "description": self.reader.description(),
                "step": self.step,
                "lines": self.lines,
                "spent_s": self.budget.spent_s,
                "seed": self.recipe.seed,
            },
        )

    def _resume(self) -> float:
        state = load(self.run_dir / LAST)
        if state is None:
            return 0.0
        if LineFormat.of(state["description"]["input"]) != self.reader.line_format:
            raise WeightsError(
                f"{self.run_dir} was begun with another input: {state['description']['input']}"
            )
        begun = state["description"]["architecture"]
        if json.dumps(begun) != json.dumps(self.reader.description()["architecture"]):
            raise WeightsError(f"{self.run_dir} was begun with another network: {begun}")
        self.module.load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.lines = state["step"], state["lines"]
        logger.info(
            "resuming at step %d, %d lines, %.1f minutes", self.step, self.lines, state["spent_s"] / 60
        )
        return float(state["spent_s"])

    def _update(self, batch: LineBatch) -> float:
        recipe = self.recipe
        rate = cosine_rate(recipe.rate, self.budget.progress(self.step), self.step, recipe.warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.reader.loss(batch, self.device)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), recipe.clip)
        # One broken batch must not poison the averages for good.
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.module)
        self.step += 1
        self.lines += len(batch.texts)
        return float(loss.detach())

    def _report(self, loss: float, lines_per_s: float) -> None:
        minutes = self.budget.spent_s / 60
        rate = self.optimizer.param_groups[0]["lr"]
        logger.info(
            "step %d  %.1f min  loss %.4f  rate %.2g  %d lines  %.0f lines/s  %.0f %%",
            self.step, minutes, loss, rate, self.lines, lines_per_s, 100 * self.budget.progress(self.step),
        )  # fmt: skip
        self.curve.write(
            step=self.step, minutes=minutes, lines=self.lines, rate=rate, loss=loss, lines_per_s=lines_per_s
        )

    def _batches(self) -> Iterator[LineBatch]:
        # A resumed run draws other lines than the first part did.
        stream = self._stream(self.recipe.sources, self.recipe.plan, self.recipe.seed + self.step)
        return iter(DataLoader(stream, batch_size=None, num_workers=self.recipe.workers))

    def _validation(self) -> Iterator[LineBatch]:
        stream = iter(self._stream(self.recipe.valid, BatchPlan(pool=256), seed=1))
        return (next(stream) for _ in range(self.recipe.valid_batches))

    def _stream(self, sources: Sequence[Source], plan: BatchPlan, seed: int) -> LineStream:
        reader = self.reader
        short = plan.short_first if self.lines < plan.short_first else 0
        plan = BatchPlan(plan.columns, plan.max_lines, plan.pool, short, plan.short_characters)
        return LineStream(sources, reader.charset, reader.line_format, plan, seed, reader.steps_per_px)

    def _stop_on_signals(self) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            logger.info("signal %d: saving and stopping", number)
            self._stop = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)


class _Clocks:
    """Which of several periodic things is due."""

    def __init__(self, count: int) -> None:
        self._started_s = time.monotonic()
        self._last_s: dict[str, float] = {}
        self._counted = (self._started_s, count)

    def due(self, name: str, every_s: float) -> bool:
        now_s = time.monotonic()
        if now_s - self._last_s.get(name, self._started_s) < every_s:
            return False
        self._last_s[name] = now_s
        return True

    def rate(self, count: int) -> float:
        """Growth of a counter per second since the last call."""
        now_s = time.monotonic()
        then_s, before = self._counted
        self._counted = (now_s, count)
        return (count - before) / max(now_s - then_s, 1e-9)


def _groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Decay matrices and kernels, not biases and normalisation."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
