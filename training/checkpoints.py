"""Runs that survive an interruption: atomic checkpoints, averaged weights, a schedule by time."""

from __future__ import annotations

import csv
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

LAST = "last.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash at any moment leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    os.replace(unfinished, path)


def load(path: Path) -> dict[str, Any] | None:
    """State of a checkpoint on the CPU, None where there is none yet."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class AveragedWeights:
    """Exponential moving average of a module's parameters and buffers.

    The decay grows with the number of updates, so early averages are not held by the random start.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in module.state_dict().items():
            mean = self.values[name]
            if mean.is_floating_point():
                mean.lerp_(value, share)
            else:
                mean.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)


class Budget:
    """Progress of a run against its limits, minutes of training or steps, whichever ends first.

    A run of no steps, or no time, keeps what it began with.

    Training seconds are carried over from before an interruption; the pause is not counted.
    """

    def __init__(self, minutes: float | None, steps: int | None, spent_s: float = 0.0) -> None:
        if minutes is None and steps is None:
            raise ValueError("a run needs a limit: minutes or steps")
        self.minutes = minutes
        self.steps = steps
        self._before_s = spent_s
        self._started_s = time.monotonic()

    @property
    def spent_s(self) -> float:
        return self._before_s + time.monotonic() - self._started_s

    def progress(self, step: int) -> float:
        """Share of the run that is done, 1 or more at its end."""
        by_time = _share(self.spent_s / 60, self.minutes)
        return max(by_time, _share(step, self.steps))


def _share(done: float, limit: float | None) -> float:
    if limit is None:
        return 0.0
    return done / limit if limit else 1.0


def cosine_rate(peak: float, progress: float, step: int, warmup_steps: int) -> float:
    """Learning rate: linear warm-up over steps, then a cosine over progress down to 1 % of the peak."""
    warm = min(1.0, (step + 1) / warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return peak * warm * (0.01 + 0.99 * cosine)


class CurveLog:
    """A CSV of the run, appended row by row, so that a resumed run continues its curve."""

    FIELDS = ("step", "minutes", "lines", "rate", "loss", "lines_per_s", "valid_cer")

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        if not path.exists():
            self._append(self.FIELDS)

    def write(self, **values: float) -> None:
        self._append(tuple(_short(values.get(name)) for name in self.FIELDS))

    def _append(self, row: tuple[str, ...]) -> None:
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
