"""How sure a text is, by how sure its characters are."""

from __future__ import annotations

import math
from collections.abc import Sequence

FLOOR = 1e-6
"""What a character's confidence counts as at least: one that is 0 does not make the whole text 0."""


def mean_confidence(confidences: Sequence[float]) -> float:
    """Geometric mean of the characters' confidences, at least one, each in ``[0, 1]``."""
    return math.exp(sum(math.log(max(each, FLOOR)) for each in confidences) / len(confidences))
