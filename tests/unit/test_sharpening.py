"""Out of focus: how soft a line is, and what sharpening gives back."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from deployments.recognition.preprocess import INK_MAX, INK_MIN, Ink
from deployments.recognition.sharpening import BLURRED_PX, DEGREES, Softness, sharpened

ROOT = math.sqrt(2 * math.pi)


def bars(blur: float = 0.0, width: int = 200) -> Ink:
    """Blots of ink 12 px wide and 16 high, 12 px apart."""
    ink = np.zeros((32, width), np.float32)
    for start in range(12, width - 12, 24):
        ink[8:24, start : start + 12] = 1.0
    return cv2.GaussianBlur(ink, (0, 0), blur) if blur else ink


def error(view: Ink) -> float:
    return float(np.abs(view - bars()).mean())


def test_softness_is_the_sigma_of_the_blur() -> None:
    # A step between two pixels, seen over three, rises by a half: that of a Gaussian of 0.8 px.
    sharp = Softness.of(bars())
    assert (sharp.along, sharp.down) == pytest.approx((2 / ROOT, 2 / ROOT))
    for sigma_px in (1.5, 2.0, 3.0):
        soft = Softness.of(bars(sigma_px))
        assert (soft.along, soft.down) == pytest.approx((sigma_px, sigma_px), rel=0.15)


def test_a_line_that_moved_is_soft_in_that_direction() -> None:
    # Upright edges rise by a seventh of the ink each pixel; level ones are sharp.
    moved = Softness.of(cv2.blur(bars(), (7, 1)))
    assert (moved.along, moved.down) == pytest.approx((7 / ROOT, 2 / ROOT), rel=0.01)
    assert moved.is_blurred


def test_ink_that_is_in_focus_does_not_count_as_blurred() -> None:
    assert not Softness.of(bars()).is_blurred
    assert Softness.of(bars(1.5)).is_blurred
    assert Softness(BLURRED_PX, 0.0).is_blurred and Softness(0.0, BLURRED_PX).is_blurred


def test_lines_without_edges_have_a_softness_too() -> None:
    assert math.isfinite(Softness.of(np.zeros((32, 100), np.float32)).along)
    assert Softness.of(np.zeros((32, 2), np.float32)) == Softness(0.0, 0.0)


@pytest.mark.parametrize("degree", range(len(DEGREES)))
def test_the_filter_against_a_blur_brings_edges_back(degree: int) -> None:
    blurred = bars(DEGREES[degree].sigma_px)
    view = sharpened(blurred, 224)[degree]
    assert view.shape == blurred.shape and view.dtype == np.float32
    assert error(view) < 0.9 * error(blurred)
    assert Softness.of(view).along < 0.85 * Softness.of(blurred).along


def test_motion_is_undone_in_its_own_direction_only() -> None:
    moved = cv2.GaussianBlur(bars(), (0, 0), sigmaX=1.5, sigmaY=0.01)
    before = Softness.of(moved)
    views = sharpened(moved, 224)
    assert min(map(error, views)) < 0.8 * error(moved)
    for view in views:
        assert Softness.of(view).along < 0.9 * before.along
        # Not a row above or below the blots changes: those edges were sharp.
        assert np.abs(view[:8]).max() < 0.1 and np.abs(view[24:]).max() < 0.1
    turned = cv2.GaussianBlur(bars(), (0, 0), sigmaX=0.01, sigmaY=1.5)
    assert min(map(error, sharpened(turned, 224))) < 0.8 * error(turned)


def test_a_line_too_small_to_tell_stays_as_it_is() -> None:
    line = np.linspace(0, 1, 64, dtype=np.float32).reshape(32, 2)
    for view in sharpened(line, 32):
        np.testing.assert_allclose(view, line, atol=1e-6)


def test_even_ground_stays_what_it_is_and_ink_stays_within_its_bounds() -> None:
    for view in sharpened(np.full((32, 50), 0.25, np.float32), 64):
        np.testing.assert_allclose(view, 0.25, atol=1e-6)
    noise = np.random.default_rng(3).uniform(INK_MIN, INK_MAX, (32, 90)).astype(np.float32)
    for view in sharpened(cv2.GaussianBlur(noise, (0, 0), 1.5), 96):
        assert view.min() >= INK_MIN and view.max() <= INK_MAX


def test_the_ends_of_a_line_do_not_show_up_at_each_other() -> None:
    # A transform takes a line for a ring: ink at its end must not ring at its beginning.
    ink = np.zeros((32, 60), np.float32)
    ink[:, 50:] = 1.0
    for view in sharpened(cv2.GaussianBlur(ink, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE), 64):
        assert np.abs(view[:, :25]).max() < 0.02


@pytest.mark.parametrize("width", [1, 2, 17, 2400])
def test_lines_of_any_width_are_sharpened(width: int) -> None:
    ink = np.zeros((32, width), np.float32)
    assert [view.shape for view in sharpened(ink, -(-width // 32) * 32)] == [(32, width)] * len(DEGREES)
