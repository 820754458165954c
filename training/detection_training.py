"""The YOLO training loop: windows of pages, ultralytics' own loss, bf16, a schedule by time.

Ultralytics' trainer switches mixed precision off on a CPU, where bf16 is what makes training
affordable, and it trains on squares; this loop keeps their network and their loss.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from deployments.detection.preprocess import InputSpec
from deployments.detection.yolo_network import LineLoss, build_network
from training import checkpoints
from training.detection_augment import Variation, Window, windows
from training.detection_data import LabelledPage, PageSource

logger = logging.getLogger(__name__)

CURVE = ("step", "minutes", "windows", "rate", "loss", "box", "cls")
WARMUP_STEPS = 150


@dataclass(frozen=True)
class Plan:
    """Everything a run depends on."""

    out: Path
    sources: tuple[PageSource, ...]
    architecture: dict[str, Any]
    input: InputSpec = field(default_factory=InputSpec)
    variation: Variation = field(default_factory=Variation)
    minutes: float | None = None
    steps: int | None = None
    batch: int = 4
    rate: float = 2e-3
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    save_every: int = 200


class WindowStream(IterableDataset[Window]):
    """Endless random windows; ``epoch`` keeps a resumed run from repeating what it has seen."""

    def __init__(self, plan: Plan, epoch: int) -> None:
        self._plan = plan
        self._epoch = epoch
        pages: list[LabelledPage] = []
        weights: list[float] = []
        for source in plan.sources:
            found = [page for page in source.pages() if len(page.quads)]
            pages += found
            weights += [source.weight] * len(found)
        self._pages, self._weights = pages, np.array(weights)

    def __iter__(self) -> Iterator[Window]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self._plan.seed, self._epoch, worker.id if worker else 0])
        return windows(self._pages, self._weights, self._plan.input, self._plan.variation, rng)


def collate(batch: list[Window]) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels ``uint8 (N, 3, H, W)`` channels-last, boxes ``(M, 4)`` and their owners ``(M,)``."""
    pixels = torch.from_numpy(np.stack([window.pixels for window in batch])).permute(0, 3, 1, 2)
    boxes = torch.from_numpy(np.concatenate([window.boxes for window in batch]))
    counts = torch.tensor([len(window.boxes) for window in batch])
    return pixels, boxes, torch.repeat_interleave(torch.arange(len(batch)), counts).float()


class Run:
    """One training run: the network, its averaged weights, and what a checkpoint holds."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = torch.device(plan.device)
        network = build_network(plan.architecture).to(self.device, memory_format=torch.channels_last)
        self.network = network.train()
        self.average = checkpoints.AveragedWeights(network, decay=0.998)
        self.optimizer = torch.optim.AdamW(_groups(network), lr=plan.rate, betas=(0.9, 0.99))
        self.loss = LineLoss(network)
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
            "architecture": self.plan.architecture,
        }
        checkpoints.save(self.plan.out / checkpoints.LAST, state)

    def train(self) -> None:
        """Train until the plan's limit, writing checkpoints and the curve as it goes."""
        stream = WindowStream(self.plan, self.resumes)
        loader = DataLoader(
            stream, batch_size=self.plan.batch, num_workers=self.plan.workers, collate_fn=collate
        )
        shown: list[dict[str, float]] = []
        for batch in loader:
            if self.budget.progress(self.step) >= 1:
                break
            shown.append(self.advance(*batch))
            if self.step % 50 == 0:
                self._log(shown)
                shown.clear()
            if self.step % self.plan.save_every == 0:
                self.save()
        if shown:
            self._log(shown)
        self.save()

    def advance(self, pixels: Tensor, boxes: Tensor, owners: Tensor) -> dict[str, float]:
        """One optimiser step; returns the loss and its parts."""
        rate = checkpoints.cosine_rate(
            self.plan.rate, self.budget.progress(self.step), self.step, WARMUP_STEPS
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = pixels.to(self.device).float().div_(255)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            outputs = self.network(images)
        loss, parts = self.loss(outputs, boxes.to(self.device), owners.to(self.device))
        if not math.isfinite(value := loss.item()):
            raise FloatingPointError(f"the loss is {value} at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return {"loss": value, "rate": rate, **parts}

    def _log(self, shown: list[dict[str, float]]) -> None:
        mean = {key: float(np.mean([row[key] for row in shown])) for key in shown[0]}
        row = {
            "step": self.step,
            "minutes": self.budget.spent_s / 60,
            "windows": self.step * self.plan.batch,
            "rate": shown[-1]["rate"],
            "loss": mean["loss"],
            "box": mean["box_loss"],
            "cls": mean["cls_loss"],
        }
        path = self.plan.out / "curve.csv"
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(CURVE)
            writer.writerow([f"{row[name]:.5g}" for name in CURVE])
        logger.info("step %(step)d, %(minutes).1f min: loss %(loss).3f", row)


def _groups(network: torch.nn.Module) -> list[dict[str, Any]]:
    """Weight decay for the convolutions' kernels alone."""
    kernels = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    return [{"params": kernels, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
