"""How exact answers are, whatever their format."""

from __future__ import annotations

PIXEL_DIGITS = 1
PROBABILITY_DIGITS = 4


def pixels(value: float) -> float:
    """A coordinate or a length, pixels of the page."""
    return round(float(value), PIXEL_DIGITS)


def probability(value: float | None) -> float | None:
    """A confidence, None where there is none."""
    return None if value is None else round(value, PROBABILITY_DIGITS)
