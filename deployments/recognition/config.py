"""Settings of the recognition stage: what needs a restart, and what changes live."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deployments.batching import BatchLimits
from deployments.settings import StageArgs, StageTuning

EngineName = Literal["crnn", "trocr", "fake"]

SHIPPED_WEIGHTS: dict[EngineName, str] = {"crnn": "crnn-ru-en", "trocr": "trocr-ru-en", "fake": ""}


class RecognitionArgs(StageArgs):
    """What is fixed when a replica starts."""

    shipped = SHIPPED_WEIGHTS

    engine: EngineName = Field(
        "crnn",
        description="crnn: convolutions, LSTM and CTC; trocr: transformer encoder and decoder; fake: tests",
    )
    weights: str = Field(
        "",
        description="shipped name or path, for trocr also a hub id owner/name[@revision]; "
        "empty takes the shipped weight of the engine",
    )
    language_model: str = Field(
        "charlm-ru-en",
        description="crnn: shipped name or path of the models of text for beam decoding; empty: none, "
        "which leaves greedy decoding",
    )


class RecognitionTuning(StageTuning):
    """What ``user_config`` may change without a restart."""

    batch: BatchLimits = Field(
        default_factory=lambda: BatchLimits(max_items=32, max_pixels=1_000_000, max_padding=0.25),
        description="bounds of one model step; lines are batched by width",
    )
    second_look: float = Field(
        0.95,
        ge=0,
        le=1,
        description="crnn: a line whose steps are less sure than this on average is looked at again, "
        "with more paper below and widened; 0: never",
    )
    sharpening: float = Field(
        0.97,
        ge=0,
        le=1,
        description="crnn: a line out of focus whose steps are less sure than this on average is looked at "
        "again, sharpened to several degrees; 0: never",
    )
    decoding: Literal["greedy", "beam"] = Field(
        "beam", description="crnn: beam searches with the character model, greedy takes the likeliest symbols"
    )
    beam_width: int = Field(32, ge=1, le=256, description="crnn: prefixes that beam decoding keeps")
    language_weight: float = Field(
        0.215,
        ge=0,
        le=2,
        description="crnn: weight of the character model's log probability in beam decoding",
    )
    length_bonus: float = Field(
        0.95, ge=0, le=5, description="crnn: added for every character in beam decoding, in nats"
    )
    word_weight: float = Field(
        0.125, ge=0, le=2, description="crnn: weight of a whole word's log probability in beam decoding"
    )
    word_bonus: float = Field(
        0.45, ge=0, le=5, description="crnn: added for every letter of a known word in beam decoding, in nats"
    )
    script_consistency: bool = Field(
        True, description="crnn: write no word with look-alike letters of both scripts"
    )
    case_consistency: bool = Field(
        True,
        description="crnn: write capitals among small letters only where they are read surely",
    )
    num_beams: int = Field(1, ge=1, le=16, description="trocr: beams of the search; 1 is greedy")
    max_length: int = Field(128, ge=1, le=512, description="trocr: tokens that a line may have")
