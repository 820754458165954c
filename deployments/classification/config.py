"""Settings of the classification stage: what needs a restart, and what changes live."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deployments.batching import BatchLimits
from deployments.settings import StageArgs, StageTuning
from deployments.types import Kind

EngineName = Literal["clip", "cnn", "fake"]

SHIPPED_WEIGHTS: dict[EngineName, str] = {"clip": "clip-kind", "cnn": "cnn-kind", "fake": ""}


class ClassificationArgs(StageArgs):
    """What is fixed when a replica starts."""

    shipped = SHIPPED_WEIGHTS

    engine: EngineName = Field(
        "clip", description="clip: open_clip with prompts; cnn: small grey network; fake: tests"
    )
    weights: str = Field(
        "",
        description="shipped name, path, or for clip also hf-hub:owner/name or the name of an open_clip "
        "model; empty takes the shipped weight of the engine",
    )
    pretrained: str | None = Field(
        None, description="clip only: open_clip tag or checkpoint file; makes weights an open_clip model name"
    )

    @model_validator(mode="after")
    def _pretrained_needs_a_model(self) -> Self:
        if self.pretrained is not None and (self.engine != "clip" or not self.weights):
            raise ValueError("pretrained goes with engine clip and the name of an open_clip model in weights")
        return self


class Prompts(BaseModel):
    """Descriptions of the two kinds; an image is compared with the mean of each list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handwritten: tuple[str, ...] = Field(min_length=1, description="prompts for handwriting")
    printed: tuple[str, ...] = Field(min_length=1, description="prompts for print and typewriting")

    @field_validator("handwritten", "printed")
    @classmethod
    def _not_blank(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if any(not prompt.strip() for prompt in prompts):
            raise ValueError("a prompt is blank")
        return prompts

    def of(self, kind: Kind) -> tuple[str, ...]:
        """The prompts of one kind."""
        return self.handwritten if kind is Kind.HANDWRITTEN else self.printed


DEFAULT_PROMPTS = Prompts(
    handwritten=(
        "a photo of handwritten text",
        "a scan of handwriting",
        "cursive handwriting on paper",
        "a line of text written by hand with a pen",
    ),
    printed=(
        "a photo of printed text",
        "a scan of typewritten text",
        "machine printed letters on paper",
        "a line of text set in type",
    ),
)


class ClassificationTuning(StageTuning):
    """What ``user_config`` may change without a restart."""

    batch: BatchLimits = Field(
        default_factory=lambda: BatchLimits(max_items=64, max_pixels=4_500_000, max_padding=0.0),
        description="bounds of one model step; all crops of an engine have one size",
    )
    handwritten_threshold: float = Field(
        0.5, gt=0, lt=1, description="a line is handwritten from this probability of handwriting upwards"
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="divides the scores before the softmax; null takes the weight's own calibration",
    )
    prompts: Prompts | None = Field(
        None, description="clip only; null takes the prompts the weight was trained with, or general ones"
    )
