"""Bad copies and photographs: which pages are changed, and what becomes of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.restoring import restored, with_full_contrast, without_grain
from deployments.types import Image


def page(paper: int = 230, ink: int = 20, height: int = 700, width: int = 900) -> Image:
    pixels = np.full((height, width, 3), paper, np.uint8)
    for baseline in range(30, height, 28):
        cv2.putText(pixels, "Received with thanks 1,234.56", (10, baseline), 0, 0.6, (ink,) * 3, 1)
    return pixels


def noisy(pixels: Image, sigma: float) -> Image:
    noise = np.random.default_rng(5).normal(0, sigma, pixels.shape[:2])[..., None]
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def test_a_page_like_any_other_goes_as_it_came() -> None:
    for clean in (page(), page(paper=200, ink=90), noisy(page(), 8), 255 - page()):
        assert restored(clean) is clean


@pytest.mark.parametrize(("paper", "ink"), [(250, 210), (40, 5), (130, 100), (60, 140)])
def test_a_faint_or_dark_page_is_drawn_out(paper: int, ink: int) -> None:
    faint = noisy(page(paper, ink), 1)
    full = with_full_contrast(faint)
    darkest, lightest = np.percentile(full, (0.2, 99.8))
    assert darkest < 100 and lightest > 225
    # What is lighter stays lighter.
    of_paper, of_ink = full[page(1, 0)[..., 0] == 1], full[page(1, 0)[..., 0] == 0]
    assert (of_paper.mean() > of_ink.mean()) == (paper > ink)


def test_colours_keep_their_hue() -> None:
    faint = page(250, 250)
    faint[page(230, 20)[..., 0] < 100] = (200, 200, 240)
    full = with_full_contrast(faint)
    ink = full[page(230, 20)[..., 0] < 100].mean(axis=0)
    assert ink[2] > ink[0] + 60


@pytest.mark.parametrize("noise", [0, 2, 10])
def test_a_blank_page_is_not_drawn_out(noise: float) -> None:
    """Or its paper would turn into a texture, in which detectors see lines."""
    light = np.linspace(200, 250, 900)[None, :, None] + np.zeros((700, 1, 3))
    blank = noisy(light.astype(np.uint8), noise)
    assert with_full_contrast(blank) is blank


def test_a_few_words_in_strong_ink_are_no_faint_page() -> None:
    sparse = noisy(np.full((1400, 1000, 3), 248, np.uint8), 1)
    cv2.putText(sparse, "Paid", (100, 200), 0, 0.8, (20,) * 3, 2)
    assert with_full_contrast(sparse) is sparse


@pytest.mark.parametrize("depth", [4, 8])
def test_what_shows_through_from_the_other_side_is_not_brought_out(depth: int) -> None:
    back = noisy(cv2.GaussianBlur(page(240, 240 - depth), (0, 0), 1.0), 1)
    assert with_full_contrast(back) is back


def test_a_grainy_page_is_smoothed_and_one_with_a_little_grain_is_not() -> None:
    grainy = noisy(page(), 30)
    smooth = without_grain(grainy)
    assert np.abs(smooth.astype(int) - page()).mean() < 0.6 * np.abs(grainy.astype(int) - page()).mean()
    light = noisy(page(), 8)
    assert without_grain(light) is light


def test_grain_that_contrast_brings_out_is_smoothed_too() -> None:
    faint = noisy(page(250, 212), 4)
    full = with_full_contrast(faint)
    assert full is not faint and without_grain(full) is not full
    np.testing.assert_array_equal(restored(faint), without_grain(full))


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 2), (20, 3000)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    for value in (0, 128, 255):
        even = np.full((*shape, 3), value, np.uint8)
        assert restored(even) is even
    noise = np.random.default_rng(2).integers(100, 160, (*shape, 3)).astype(np.uint8)
    noise.flags.writeable = False
    assert restored(noise).shape == noise.shape
