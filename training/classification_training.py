"""The training loop of the kind classifiers: resumable, seeded, its curve in a CSV."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from deployments.classification.preprocess import InputSpec
from deployments.classification.tensors import Normaliser
from training.checkpoints import LAST, AveragedWeights, Budget, CurveLog, cosine_rate, load, save
from training.classification_models import TrainableKind
from training.classification_renditions import RenditionSet

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a classifier is trained. Either limit, ``minutes`` or ``steps``, ends the run.

    ``started_from`` is what is known of the weight that the run begins with, if it does with one.
    """

    minutes: float | None = 15.0
    steps: int | None = None
    batch: int = 64
    rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 2e-2
    clip: float = 2.0
    average_decay: float = 0.998
    seed: int = 0
    workers: int = 0
    save_every_s: float = 20.0
    log_every_s: float = 15.0
    started_from: Mapping[str, Any] = field(default_factory=dict)


class CurveOfKinds(CurveLog):
    """Columns of ``curve.csv``."""

    FIELDS = ("step", "minutes", "lines", "rate", "loss", "lines_per_s")  # type: ignore[assignment]


class Training:
    """One run: resumes from ``run_dir/last.pt`` where there is one."""

    def __init__(
        self,
        classifier: TrainableKind,
        renditions: Path,
        recipe: Recipe,
        run_dir: Path,
        device: torch.device,
    ) -> None:
        self.classifier = classifier
        self.recipe = recipe
        self.run_dir = run_dir
        self.device = device
        self.module = classifier.module.to(device).to(memory_format=torch.channels_last)
        self.average = AveragedWeights(self.module, recipe.average_decay)
        self.optimizer = torch.optim.AdamW(_groups(self.module, recipe.weight_decay), lr=recipe.rate)
        self.step = 0
        self.curve = CurveOfKinds(run_dir / "curve.csv")
        self.budget = Budget(recipe.minutes, recipe.steps, self._resume())
        self._renditions = RenditionSet(renditions, classifier.spec, recipe.seed)
        self._normalise = Normaliser(classifier.spec, device)

    def run(self) -> None:
        """Train until the budget is spent; the averaged weights are the result, in ``last.pt``."""
        self.module.train()
        saved_s = logged_s = time.monotonic()
        losses: list[float] = []
        for boxes, kinds in self._batches():
            if self.budget.progress(self.step) >= 1:
                break
            losses.append(self._update(boxes, kinds))
            now_s = time.monotonic()
            if now_s - logged_s > self.recipe.log_every_s:
                self._report(losses, len(losses) * self.recipe.batch / (now_s - logged_s))
                losses, logged_s = [], now_s
            if now_s - saved_s > self.recipe.save_every_s:
                self.save()
                saved_s = now_s
        self.save()

    def save(self) -> None:
        """Write ``last.pt``."""
        state = {
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.budget.spent_s,
            "seed": self.recipe.seed,
            "batch": self.recipe.batch,
            "input": self.classifier.spec.model_dump(),
            "started_from": dict(self.recipe.started_from),
        }
        save(self.run_dir / LAST, state)

    def _resume(self) -> float:
        state = load(self.run_dir / LAST)
        if state is None:
            return 0.0
        if (state["seed"], state["batch"]) != (self.recipe.seed, self.recipe.batch):
            raise ValueError(f"{self.run_dir} was begun with seed {state['seed']} and batch {state['batch']}")
        if _spec_of(state, self.classifier) != self.classifier.spec:
            raise ValueError(f"{self.run_dir} was begun with another input: {state['input']}")
        self.module.load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        logger.info("resuming at step %d, after %.1f minutes", self.step, state["spent_s"] / 60)
        return float(state["spent_s"])

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        loader = DataLoader(
            self._renditions,
            batch_size=self.recipe.batch,
            sampler=_Counting(self.step * self.recipe.batch),
            num_workers=self.recipe.workers,
            drop_last=True,
        )
        return iter(loader)

    def _update(self, boxes: torch.Tensor, kinds: torch.Tensor) -> float:
        recipe = self.recipe
        rate = cosine_rate(recipe.rate, self.budget.progress(self.step), self.step, recipe.warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # The choice of prompts and dropout follow the step, so that a resumed run repeats no other.
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)
        pixels = self._normalise(boxes.numpy())
        is_half = self.device.type == "cuda" or self.classifier.is_bf16_faster
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_half):
            loss = self.classifier.loss(pixels, kinds.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if torch.isfinite(nn.utils.clip_grad_norm_(self.module.parameters(), recipe.clip)):
            self.optimizer.step()
            self.average.update(self.module)
        self.step += 1
        return float(loss.detach())

    def _report(self, losses: Sequence[float], lines_per_s: float) -> None:
        minutes, loss = self.budget.spent_s / 60, float(np.mean(losses))
        rate = self.optimizer.param_groups[0]["lr"]
        done = 100 * self.budget.progress(self.step)
        logger.info(
            "step %d  %.1f min  loss %.4f  %.0f lines/s  %.0f %%", self.step, minutes, loss, lines_per_s, done
        )
        self.curve.write(
            step=self.step,
            minutes=minutes,
            lines=self.step * self.recipe.batch,
            rate=rate,
            loss=loss,
            lines_per_s=lines_per_s,
        )


class _Counting(torch.utils.data.Sampler[int]):
    """0, 1, 2, ... from where an interrupted run stopped."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __iter__(self) -> Iterator[int]:
        index = self._start
        while True:
            yield index
            index += 1


def averaged(classifier: TrainableKind, run_dir: Path) -> dict[str, Any]:
    """Load a run's averaged weights and input into the classifier; what is known of the run.

    Raises FileNotFoundError where no run is.
    """
    state = load(run_dir / LAST)
    if state is None:
        raise FileNotFoundError(f"{run_dir / LAST} is missing: train first")
    classifier.module.load_state_dict(state["average"]["values"])
    classifier.module.eval()
    classifier.spec = _spec_of(state, classifier)
    known = {
        "steps": state["step"],
        "samples": state["step"] * state["batch"],
        "seed": state["seed"],
        "hours": round(state["spent_s"] / 3600, 3),
    }
    return known | ({"started_from": state["started_from"]} if state.get("started_from") else {})


def _spec_of(state: Mapping[str, Any], classifier: TrainableKind) -> InputSpec:
    """The input of a run; runs of before it was kept have the classifier's own."""
    return InputSpec.model_validate(state["input"]) if "input" in state else classifier.spec


def _groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels only."""
    decayed = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in module.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
