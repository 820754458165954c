"""Settings of the detection stage: what needs a restart, and what changes live."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deployments.batching import BatchLimits
from deployments.settings import StageArgs, StageTuning

EngineName = Literal["yolo", "craft", "fake"]

SHIPPED_WEIGHTS: dict[EngineName, str] = {"yolo": "yolo-lines", "craft": "craft-lines", "fake": ""}


class DetectionArgs(StageArgs):
    """What is fixed when a replica starts."""

    shipped = SHIPPED_WEIGHTS

    engine: EngineName = Field(
        "yolo", description="yolo: ultralytics (AGPL-3.0); craft: SegFormer with CRAFT's boxes; fake: tests"
    )
    weights: str = Field(
        "",
        description="shipped name, path, hub id owner/name, or for yolo also the name of an ultralytics "
        "release such as yolov8n.pt; empty takes the shipped weight of the engine",
    )


class DetectionTuning(StageTuning):
    """What ``user_config`` may change without a restart."""

    batch: BatchLimits = Field(
        default_factory=lambda: BatchLimits(max_items=8, max_pixels=5_000_000, max_padding=0.25),
        description="bounds of one model step; an A4 page is about 0.6 million pixels of it",
    )
    max_skew_deg: float = Field(
        15.0, ge=0, le=30, description="pages are straightened up to this angle, degrees; 0 never"
    )
    max_lines: int = Field(1000, ge=1, le=3000, description="lines of a page kept, the surest first")
    confidence: float = Field(0.3, gt=0, lt=1, description="yolo: least score of a line")
    short_word_confidence: float = Field(
        0.05,
        gt=0,
        le=1,
        description="yolo: least score of a word of a letter or two beside a line; 1 finds none",
    )
    iou: float = Field(0.5, gt=0, lt=1, description="yolo: overlap at which the weaker box is a duplicate")
    containment: float = Field(
        0.8, gt=0, le=1, description="yolo: share of a box within a surer one at which it is a fragment"
    )
    text_threshold: float = Field(0.59, gt=0, lt=1, description="craft: least peak of a word's character map")
    link_threshold: float = Field(0.3, gt=0, lt=1, description="craft: affinity that joins characters")
    low_text: float = Field(0.3, gt=0, lt=1, description="craft: least character score within a word")
    join_gap: float = Field(
        0.77,
        ge=0,
        le=4,
        description="craft: widest gap between words that are joined without affinity, in heights of a word; "
        "weights whose affinity ends with the word need about 1.6",
    )
    part_gap: float = Field(
        1.0, ge=0, le=20, description="craft: widest gap within a line, in heights of it; wider ones part it"
    )
    growth: float = Field(
        0.23, ge=0, le=1, description="craft: what a line grows by above and below, in heights of its scores"
    )
