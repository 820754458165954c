"""From ink to a crop: cells of combs, and the tilt that a box of a sloping line leaves."""

from __future__ import annotations

import numpy as np
import pytest

from training.synth.framing import Framing, frame
from training.synth.ink import TextInk

X_HEIGHT_PX = 20


def letters(lefts: list[int], width: int = 12) -> TextInk:
    """Blocks as high as an x, at these places."""
    mask = np.zeros((40, lefts[-1] + width + 4), np.uint8)
    boxes = np.array([[left, 10, left + width, 30] for left in lefts], np.float32)
    for left in lefts:
        mask[10:30, left : left + width] = 255
    return TextInk(mask, boxes, 30.0, "x" * len(lefts))


def crop(ink: TextInk, how: Framing, seed: int = 0) -> np.ndarray:
    return frame(ink, X_HEIGHT_PX, how, 48, np.random.default_rng(seed))[0]


def upright_rules(ink: TextInk, row: int) -> list[float]:
    """Middles of what crosses a row between the letters' feet and the rule below them."""
    wide = Framing(top=0.6, bottom=0.6, left=1, right=1, rules=("cells",))
    ruled, plain = crop(ink, wide), crop(ink, Framing(top=0.6, bottom=0.6, left=1, right=1))
    lit = np.flatnonzero((ruled.astype(int) - plain)[row] > 40)
    groups = np.split(lit, np.flatnonzero(np.diff(lit) > 1) + 1)
    return [float(group.mean()) for group in groups]


def test_characters_that_stand_evenly_get_even_cells() -> None:
    """With 40 px each, although the letters are off the middles of their cells."""
    edges = upright_rules(letters([3, 44, 82, 125, 163]), row=30)
    assert len(edges) == 6
    np.testing.assert_allclose(np.diff(edges), np.diff(edges).mean(), atol=1.5)


def test_characters_of_uneven_widths_get_sides_between_them() -> None:
    ink = letters([3, 20, 80, 100, 170])
    edges = upright_rules(ink, row=30)
    middle = (crop(ink, Framing(top=0.6, bottom=0.6, left=1, right=1))[24] > 128).astype(int)
    starts, ends = np.flatnonzero(np.diff(middle) == 1), np.flatnonzero(np.diff(middle) == -1)
    assert len(edges) == 6
    np.testing.assert_allclose(edges[1:-1], (ends[:-1] + starts[1:] + 1) / 2, atol=1.5)


def test_a_single_character_gets_a_cell() -> None:
    assert len(upright_rules(letters([5]), row=30)) == 2


def test_a_line_is_turned_by_its_tilt() -> None:
    level = crop(letters(list(range(3, 200, 16))), Framing())
    tilted = crop(letters(list(range(3, 200, 16))), Framing(rotation_deg=2.0))

    def top(image: np.ndarray, column: int) -> float:
        return float(np.argmax(image[:, column - 8 : column + 8].max(axis=1) > 128))

    width = tilted.shape[1]
    fall = top(tilted, 20) - top(tilted, width - 20)
    assert top(level, 20) == top(level, width - 20)
    assert abs(fall) == pytest.approx((width - 40) * np.tan(np.radians(2.0)), abs=2)
