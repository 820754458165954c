"""How high the letters of a page are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.detection.letters import letter_height
from deployments.types import Image


def page_of(letter_px: int) -> Image:
    """Bars as high as said and half as wide, ten in each of four rows, and a rule under every row."""
    page = np.full((8 * letter_px, 16 * letter_px, 3), 235, np.uint8)
    for top in range(letter_px // 2, 7 * letter_px, 2 * letter_px):
        for left in range(letter_px, 14 * letter_px, letter_px + letter_px // 3):
            page[top : top + letter_px, left : left + letter_px // 2] = 40
        cv2.line(page, (0, top + letter_px + 3), (page.shape[1], top + letter_px + 3), (60, 60, 60), 1)
    return page


@pytest.mark.parametrize("letter_px", [8, 14, 24])
def test_letters_are_measured_and_rules_are_not(letter_px: int) -> None:
    assert letter_height(page_of(letter_px)) == pytest.approx(letter_px, abs=2)


def test_a_page_without_letters_has_none() -> None:
    assert letter_height(np.full((300, 200, 3), 235, np.uint8)) == 0
    assert letter_height(np.full((1, 1, 3), 235, np.uint8)) == 0
