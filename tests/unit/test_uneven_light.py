"""Light that changes along a line."""

from __future__ import annotations

import numpy as np

from training.uneven_light import DARKEST, shaded

PAPER = np.full((40, 400, 3), 200, np.uint8)


def test_light_falls_from_one_end_to_the_other_or_at_an_edge_and_never_below_its_darkest() -> None:
    for seed in range(20):
        seen = shaded(PAPER, np.random.default_rng(seed)).astype(int)
        middle = seen[20, :, 0]
        assert seen.min() >= 200 * DARKEST - 1 and seen.max() <= 200
        assert abs(middle[0] - middle[-1]) > 80
        assert (np.diff(middle) <= 0).all() or (np.diff(middle) >= 0).all()


def test_both_lights_are_drawn_and_a_seed_repeats() -> None:
    levels = {int(shaded(PAPER, np.random.default_rng(seed))[20, 40, 0]) for seed in range(20)}
    assert len(levels) > 1
    first, second = (shaded(PAPER, np.random.default_rng(3)) for _ in range(2))
    assert (first == second).all() and (PAPER == 200).all()
