"""Telling what a model answered from what a model gone wrong answers: NaN and infinities."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from deployments.errors import OcrError, Outcome, StageFailed
from deployments.types import KindScore, PageLines, Reading

T = TypeVar("T")

NO_NUMBERS = "The model answered with no numbers"


def require_finite(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same values, a model's output; raises StageFailed unless all are finite numbers.

    For ``Engine.forward``: what is read off NaN later may look like an answer. The batcher finds out
    whose fault it was, and a weight that answers nothing else does not get through the warm-up.
    """
    if not np.isfinite(values).all():
        raise StageFailed(NO_NUMBERS)
    return values


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
    return StageFailed(NO_NUMBERS)
