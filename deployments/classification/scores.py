"""From the two raw scores of a crop to a kind and its probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deployments.errors import Outcome, StageFailed
from deployments.types import Kind, KindScore

Scores = npt.NDArray[np.float32]

# Order of the scores in every engine, in training and in evaluation.
KINDS = (Kind.HANDWRITTEN, Kind.PRINTED)


def handwritten_probability(
    scores: npt.NDArray[np.floating[Any]], temperature: float = 1.0
) -> npt.NDArray[np.float64]:
    """Softmax over the last axis, of size 2 and in the order of ``KINDS``, at a temperature.

    Args:
        scores: ``float (..., 2)``.
        temperature: above 1 makes the probabilities more cautious.
    """
    margin = (scores[..., 0].astype(np.float64) - scores[..., 1]) / temperature
    # tanh neither overflows nor warns at any margin.
    return np.asarray(0.5 * (1 + np.tanh(margin / 2)))


def calibrated_temperature(metadata: Mapping[str, Any]) -> float:
    """The temperature in a weight's metadata; 1 where it was never calibrated."""
    return float(metadata.get("calibration", {}).get("temperature", 1.0))


def kind_scores(raw: Sequence[Scores], temperature: float, threshold: float) -> list[Outcome[KindScore]]:
    """Decide each crop; scores that are not finite are that crop's :class:`StageFailed`."""
    return [_decide(scores, temperature, threshold) for scores in raw]


def _decide(scores: Scores, temperature: float, threshold: float) -> Outcome[KindScore]:
    if not np.isfinite(scores).all():
        return StageFailed("The classifier gave no finite score for this line")
    probability = float(handwritten_probability(scores, temperature))
    if probability >= threshold:
        return KindScore(Kind.HANDWRITTEN, probability)
    return KindScore(Kind.PRINTED, 1 - probability)
