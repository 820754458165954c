"""Looking again at lines that a CTC network was unsure of, as if they had been cut with more paper.

Where a letter stands in the height of its line is left to chance by whoever cut it, and an unsure
network changes its mind with it. The mean over two such cuts is surer than either: test-time
augmentation, for the lines that need it only (docs/decisions/0012-second-look.md). A third look is at
the line widened, for hands that write closely (docs/decisions/0017-choosing-between-looks.md). Letters:
T time steps, V symbols.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from deployments.recognition.consistency import Posteriors
from deployments.recognition.preprocess import Ink

# Paper added below a line, as a share of its height.
_MARGIN = 0.08
# How much wider the widened line is.
_WIDENING = 1.2
_FLOOR = 1e-7


def certainty(posteriors: Posteriors) -> float:
    """Mean probability, 0 to 1, of the likeliest symbol of each step of ``(T, V)``; 1 without steps."""
    return float(posteriors.max(axis=1).mean()) if len(posteriors) else 1.0


def mean_posteriors(seen: Sequence[Posteriors]) -> Posteriors:
    """Geometric mean of what several looks at a line gave, ``(T, V)`` each, as probabilities again."""
    logs = np.mean([np.log(np.maximum(posteriors, _FLOOR)) for posteriors in seen], axis=0)
    mean = np.exp(logs)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True), np.float32)


def with_paper_below(ink: Ink) -> Ink:
    """The line squeezed towards its top by the margin; its own shape ``(H, W)``."""
    height, width = ink.shape
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0 - _MARGIN, 0.0]], np.float32)
    return np.asarray(cv2.warpAffine(ink, matrix, (width, height), borderValue=0.0), np.float32)


def widened(ink: Ink, max_width_px: int) -> Ink:
    """The line drawn out sideways, at most as wide as the network may be given."""
    height, width = ink.shape
    target = max(min(round(width * _WIDENING), max_width_px), width)
    return np.asarray(cv2.resize(ink, (target, height), interpolation=cv2.INTER_LINEAR), np.float32)


def packed(widths: Sequence[int], most: int) -> list[list[int]]:
    """Items by their numbers, in groups of like widths for one model step each.

    A group's count times its greatest width is ``most`` or less, but for what is wider by itself.
    """
    groups: list[list[int]] = []
    for item in sorted(range(len(widths)), key=widths.__getitem__):
        if groups and (len(groups[-1]) + 1) * widths[item] <= most:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups
