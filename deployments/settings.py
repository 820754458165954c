"""The settings that all three stages have: what needs a restart, and what changes live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from deployments.batching import BatchLimits
from deployments.fakes import FakeBehaviour
from deployments.gpu_memory import GpuMemoryFraction


class StageArgs(BaseModel):
    """What is fixed when a replica starts; a stage names its engines and their shipped weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shipped: ClassVar[Mapping[Any, str]] = {}

    engine: str
    weights: str = ""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    gpu_memory_fraction: GpuMemoryFraction = None
    fake: FakeBehaviour = Field(
        default_factory=FakeBehaviour, description="fake only: its cost and its faults"
    )

    @property
    def reference(self) -> str:
        """The weights to load, with the engine's shipped ones where none are named."""
        return self.weights or self.shipped[self.engine]


class StageTuning(BaseModel):
    """The part of a stage's ``user_config`` that is the same for all: it changes without restart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: BatchLimits = Field(default_factory=BatchLimits, description="bounds of one model step")
    max_step_s: float = Field(
        30.0, gt=0, description="a step of the engine that runs longer makes the replica unhealthy, seconds"
    )
