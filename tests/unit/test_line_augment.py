"""A cached line is another one at every visit, and the same one for the same draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training import line_augment
from training.line_augment import Variation

STILL = Variation(
    top=0, bottom=0, left=0, right=0, stretch=1, shear=0, rotation_deg=0, contrast=1, brightness=0, blur_px=0,
    motion_px=0, motion_deg=0, coarseness=1, noise=0, pepper=0, noise_seed=1,
)  # fmt: skip


def bar(upright: bool) -> np.ndarray:
    grey = np.full((48, 120), 220, np.uint8)
    grey[(slice(None), slice(60, 63)) if upright else (slice(22, 25), slice(None))] = 20
    return grey


def test_without_variation_a_line_stays_as_it_is() -> None:
    np.testing.assert_array_equal(line_augment.apply(bar(True), STILL), bar(True))


def test_a_draw_gives_the_same_line_twice_and_another_draw_another() -> None:
    rng = np.random.default_rng(0)
    drawn = [line_augment.sample(rng) for _ in range(2)]
    first, again, other = (line_augment.apply(bar(True), v) for v in (drawn[0], drawn[0], drawn[1]))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


@pytest.mark.parametrize(("angle_deg", "upright_fades"), [(0.0, True), (90.0, False)])
def test_a_moving_camera_smears_what_stands_across_its_way(angle_deg: float, upright_fades: bool) -> None:
    moved = replace(STILL, motion_px=9, motion_deg=angle_deg)
    across, along = (
        line_augment.apply(bar(upright), moved) for upright in (upright_fades, not upright_fades)
    )
    assert across.min() > 120
    assert along.min() == 20
    assert float(across.mean()) == pytest.approx(float(bar(upright_fades).mean()), abs=1.0)


def test_shear_leans_what_stands_upright_and_turns_about_the_middle() -> None:
    upright = np.full((41, 200), 255, np.uint8)
    upright[:, 100] = 0
    leaning = line_augment.apply(upright, replace(STILL, shear=0.5))
    # About the middle of its height: ten columns to the right at the top, to the left at the foot.
    assert [int(leaning[row].argmin()) for row in (0, 20, 40)] == [110, 100, 90]


def test_out_of_focus_takes_the_edges() -> None:
    assert line_augment.apply(bar(True), replace(STILL, blur_px=2.5)).min() > 90


def test_pepper_is_as_much_as_was_drawn() -> None:
    peppered = line_augment.apply(np.full((200, 500), 128, np.uint8), replace(STILL, pepper=0.02))
    assert float((peppered == 0).mean()) == pytest.approx(0.01, abs=0.002)
    assert float((peppered == 255).mean()) == pytest.approx(0.01, abs=0.002)


def test_a_tail_of_the_draws_is_as_bad_as_a_hand_held_photograph() -> None:
    rng = np.random.default_rng(1)
    drawn = [line_augment.sample(rng) for _ in range(4000)]
    assert np.mean([v.blur_px > 1.1 for v in drawn]) == pytest.approx(0.06, abs=0.015)
    assert np.mean([v.motion_px > 0 for v in drawn]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([v.pepper > 0 for v in drawn]) == pytest.approx(0.03, abs=0.01)
