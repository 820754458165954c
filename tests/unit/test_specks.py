"""Specks: which pages are strewn with them, and what is left of the letters."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.specks import without_specks
from deployments.types import Image


def page(height: int = 400, width: int = 600) -> Image:
    """Lines of text in strokes of two pixels, with dots of two."""
    pixels = np.full((height, width, 3), 230, np.uint8)
    for baseline in range(30, height, 28):
        cv2.putText(pixels, "Invoice 1,234.56 i.e. ..", (10, baseline), 0, 0.6, (20, 20, 20), 2)
    return pixels


def strewn(pixels: Image, share: float, seed: int = 0) -> tuple[Image, np.ndarray]:
    """With black and white specks; where they are."""
    drawn = np.random.default_rng(seed).random(pixels.shape[:2])
    noisy = pixels.copy()
    noisy[drawn < share / 2], noisy[drawn > 1 - share / 2] = 0, 255
    return noisy, (drawn < share / 2) | (drawn > 1 - share / 2)


def test_a_clean_page_is_left_as_it_is() -> None:
    clean = page()
    assert without_specks(clean) is clean
    # Grain is no specks, however strong it is.
    grain = np.random.default_rng(1).normal(0, 12, clean.shape[:2])[..., None]
    grainy = np.clip(clean + grain, 0, 255).astype(np.uint8)
    assert without_specks(grainy) is grainy


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05])
def test_a_strewn_page_is_what_it_was_but_for_few_pixels(share: float) -> None:
    noisy, specks = strewn(page(), share)
    before = np.abs(noisy.astype(int) - page()).max(axis=2) > 40
    after = np.abs(without_specks(noisy).astype(int) - page()).max(axis=2) > 40
    assert after.sum() < 0.35 * before.sum()
    # What was no speck and no neighbour of one is as it came.
    near = cv2.dilate(specks.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    np.testing.assert_array_equal(without_specks(noisy)[~near], noisy[~near])


def test_specks_in_one_part_of_a_page_are_left() -> None:
    """A photograph on a page, or lines of dots, has many; taking them off might take letters."""
    noisy = page()
    noisy[:150, :200] = strewn(noisy[:150, :200], 0.1)[0]
    assert without_specks(noisy) is noisy


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (20, 3000), (97, 97)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (*shape, 3)).astype(np.uint8)
    noise.flags.writeable = False
    assert without_specks(noise).shape == noise.shape
