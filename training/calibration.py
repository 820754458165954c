"""Probabilities that mean what they say: temperature scaling and its error (Guo et al., 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SEARCH = (-4.0, 4.0)


def negative_log_likelihood(
    margins: Floats,
    labels: npt.NDArray[np.bool_],
    temperature: float,
    weights: Floats | None = None,
    doubt: float = 0.0,
) -> float:
    """Weighted mean NLL of two-class scores, in nats.

    Args:
        margins: ``(N,)``, score of the positive class minus that of the other.
        labels: ``(N,)``, True for the positive class.
        weights: ``(N,)``, how much each sample counts; None: all the same.
        doubt: probability that a label is wrong.
    """
    signed = np.where(labels, margins, -margins) / temperature
    losses = (1 - doubt) * np.logaddexp(0, -signed) + doubt * np.logaddexp(0, signed)
    return float(np.average(losses, weights=weights))


def fit_temperature(margins: Floats, labels: npt.NDArray[np.bool_], weights: Floats | None = None) -> float:
    """The temperature in ``[exp(-4), exp(4)]`` with the least NLL.

    The targets are softened by ``1 / (N + 2)`` as Platt (1999) does for his scaling: without it
    samples that hold no error would ask for certainty. The NLL is convex in the inverse
    temperature, so that a golden-section search finds it. Raises ValueError without samples.
    """
    if not len(margins):
        raise ValueError("no scores to calibrate on")
    doubt = 1 / (len(margins) + 2)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(margins, labels, float(np.exp(log_temperature)), weights, doubt)

    low, high = _SEARCH
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        first, second = high - golden * (high - low), low + golden * (high - low)
        if loss(first) < loss(second):
            high = second
        else:
            low = first
    return float(np.exp((low + high) / 2))


def expected_calibration_error(confidences: Floats, correct: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, over equal bins of confidence weighted by size.

    Args:
        confidences: ``(N,)`` in ``[0, 1]``, of the class that was chosen.
        correct: ``(N,)``, whether it was the right one.

    Returns:
        0 (perfect) to 1; 0 for no samples.
    """
    if not len(confidences):
        return 0.0
    # Bins are (a, b] as in the paper; a confidence of 0 falls into the first.
    index = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    error = 0.0
    for occupied in np.unique(index):
        inside = index == occupied
        gap = abs(float(confidences[inside].mean()) - float(correct[inside].mean()))
        error += gap * float(inside.mean())
    return error
