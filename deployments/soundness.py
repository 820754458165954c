"""Telling what a model answered from what a model gone wrong answers: NaN and infinities."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from deployments.errors import OcrError, Outcome, StageFailed
from deployments.types import KindScore, PageLines, Reading

T = TypeVar("T")


def is_sound(value: object) -> bool:
    """Whether an engine's answer is made of finite numbers."""
    match value:
        case Reading():
            return all(map(math.isfinite, (value.confidence, *value.char_confidences)))
        case KindScore():
            return math.isfinite(value.confidence)
        case PageLines():
            return math.isfinite(value.skew_deg) and all(
                math.isfinite(line.score) and bool(np.isfinite(line.quad).all()) for line in value.lines
            )
    return True


def checked(outcome: Outcome[T]) -> Outcome[T]:
    """The outcome, or StageFailed in the place of a value that is not sound."""
    if isinstance(outcome, OcrError) or is_sound(outcome):
        return outcome
    return StageFailed("The model answered with no numbers")
