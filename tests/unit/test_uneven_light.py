"""Light that changes along a line."""

from __future__ import annotations

import numpy as np

from training.uneven_light import DARKEST, Light, apply, sample, shaded

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


def test_training_sees_some_lines_in_every_light() -> None:
    drawn = [sample(np.random.default_rng(seed)) for seed in range(1000)]
    lights = [light for light in drawn if light is not None]
    assert 100 < len(lights) < 220
    assert all(DARKEST <= light.darkest < 1 for light in lights)
    assert {(light.edge is None, light.from_right) for light in lights} == {
        (lamp, right) for lamp in (True, False) for right in (True, False)
    }
    assert sample(np.random.default_rng(8)) == sample(np.random.default_rng(8))


def test_a_light_falls_where_it_says() -> None:
    grey = PAPER[..., 0]
    lamp = apply(grey, Light(0.6, from_right=True))
    assert (lamp[:, 0] == 120).all() and (lamp[:, -1] == 200).all()
    shadow = apply(grey, Light(0.6, edge=0.25, slant=0.0, softness=0.1))
    assert (shadow[:, :80] > 195).all() and (shadow[:, 120:] < 125).all()
    slanting = apply(grey, Light(0.6, edge=0.5, slant=1.0, softness=0.1))
    # Ten rows further down the edge stands ten columns further to the left.
    assert (np.abs(slanting[10, 150:250].astype(int) - slanting[20, 140:240]) <= 1).all()
    assert (grey == 200).all()
