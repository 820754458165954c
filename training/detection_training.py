"""The training loop of the detectors: bf16, averaged weights, a schedule by time, resumable.

Ultralytics' trainer switches mixed precision off on a CPU, where bf16 is what makes training
affordable, and it trains on squares; this loop keeps their network and their loss.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from training import checkpoints

logger = logging.getLogger(__name__)

LOG_EVERY = 50


@dataclass(frozen=True)
class Plan:
    """What a run depends on besides its task. The first limit reached, time or steps, ends it."""

    out: Path
    minutes: float | None = None
    steps: int | None = None
    batch: int = 4
    rate: float = 2e-3
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    warmup_steps: int = 150
    save_every: int = 200


class Task(Protocol):
    """A network, what it learns from, and how wrong it is."""

    network: nn.Module
    architecture: dict[str, Any]

    def stream(self, seed: int, epoch: int) -> IterableDataset[Any]:
        """Endless random examples; ``epoch`` keeps a resumed run from repeating itself."""
        ...

    def collate(self, examples: list[Any]) -> tuple[Tensor, ...]:
        """A batch; its first tensor is the images, ``uint8 (N, 3, H, W)``."""
        ...

    def loss(self, images: Tensor, truth: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, float]]:
        """Mean loss of images in ``[0, 1]``, and its parts; called under autocast."""
        ...


class Run:
    """One training run: a task, its averaged weights, and what a checkpoint holds."""

    def __init__(self, plan: Plan, task: Task) -> None:
        self.plan = plan
        self.task = task
        self.device = torch.device(plan.device)
        self.network = task.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.train()
        self.average = checkpoints.AveragedWeights(self.network, decay=0.998)
        self.optimizer = torch.optim.AdamW(_groups(self.network), lr=plan.rate, betas=(0.9, 0.99))
        self.step = 0
        self.resumes = 0
        self.budget = checkpoints.Budget(plan.minutes, plan.steps)

    def resume(self) -> bool:
        """Continue from the run's last checkpoint, if there is one."""
        state = checkpoints.load(self.plan.out / checkpoints.LAST)
        if state is None:
            return False
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.resumes = state["step"], state["resumes"] + 1
        self.budget = checkpoints.Budget(self.plan.minutes, self.plan.steps, state["spent_s"])
        logger.info("resumed at step %d, %.1f minutes", self.step, state["spent_s"] / 60)
        return True

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "resumes": self.resumes,
            "spent_s": self.budget.spent_s,
            "windows": self.step * self.plan.batch,
            "seed": self.plan.seed,
            "architecture": self.task.architecture,
        }
        checkpoints.save(self.plan.out / checkpoints.LAST, state)

    def train(self) -> None:
        """Train until the plan's limit, writing checkpoints and the curve as it goes."""
        self.plan.out.mkdir(parents=True, exist_ok=True)
        stream = self.task.stream(self.plan.seed, self.resumes)
        loader = DataLoader(
            stream, batch_size=self.plan.batch, num_workers=self.plan.workers, collate_fn=self.task.collate
        )
        shown: list[dict[str, float]] = []
        for images, *truth in loader:
            if self.budget.progress(self.step) >= 1:
                break
            shown.append(self.advance(images, *truth))
            if self.step % LOG_EVERY == 0:
                self._log(shown)
                shown.clear()
            if self.step % self.plan.save_every == 0:
                self.save()
        if shown:
            self._log(shown)
        self.save()

    def advance(self, images: Tensor, *truth: Tensor) -> dict[str, float]:
        """One optimiser step; returns the loss and its parts."""
        progress = self.budget.progress(self.step)
        rate = checkpoints.cosine_rate(self.plan.rate, progress, self.step, self.plan.warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        on_device = tuple(value.to(self.device) for value in truth)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            loss, parts = self.task.loss(images.to(self.device).float().div_(255), on_device)
        if not math.isfinite(value := loss.item()):
            raise FloatingPointError(f"the loss is {value} at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return {"rate": rate, "loss": value, **parts}

    def _log(self, shown: list[dict[str, float]]) -> None:
        row = {"step": self.step, "minutes": self.budget.spent_s / 60, "windows": self.step * self.plan.batch}
        row |= {key: float(np.mean([entry[key] for entry in shown])) for key in shown[0]}
        path = self.plan.out / "curve.csv"
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(row)
            writer.writerow([f"{value:.5g}" for value in row.values()])
        logger.info("step %(step)d, %(minutes).1f min: loss %(loss).3f", row)


def _groups(network: nn.Module) -> list[dict[str, Any]]:
    """Weight decay for the kernels alone."""
    kernels = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    return [{"params": kernels, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
