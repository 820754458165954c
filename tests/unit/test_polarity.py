"""Pages whose letters are lighter than their paper are found by their negative."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.detection.page_engine import PageEngine
from deployments.detection.polarity import dark_on_light, is_negative
from deployments.detection.preprocess import InputSpec
from deployments.engine import Prepared
from deployments.types import Image


def page(paper: int = 235, ink: int = 30, size: tuple[int, int] = (700, 500)) -> Image:
    grey = np.full(size, paper, np.uint8)
    for baseline in range(60, size[0] - 40, 34):
        cv2.putText(grey, "a line of letters 12.05", (40, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.9, ink, 2)
    return np.repeat(grey[:, :, None], 3, axis=2)


@pytest.mark.parametrize(("paper", "ink"), [(20, 230), (0, 255), (120, 240), (40, 110)])
def test_light_letters_on_a_dark_page_are_negative(paper: int, ink: int) -> None:
    image = page(paper, ink)
    assert is_negative(image)
    np.testing.assert_array_equal(dark_on_light(image), 255 - image)


@pytest.mark.parametrize(
    ("paper", "ink"), [(235, 30), (120, 20), (60, 5)], ids=["white", "grey", "in the dark"]
)
def test_dark_letters_are_left_as_they_are(paper: int, ink: int) -> None:
    image = page(paper, ink)
    assert dark_on_light(image) is image


def test_a_page_on_a_dark_desk_is_not_negative() -> None:
    desk = np.full((1600, 1300, 3), 35, np.uint8)
    desk[400:1100, 300:800] = page()
    assert not is_negative(desk)


def test_a_dark_head_does_not_make_a_page_negative() -> None:
    image = page()
    image[:150] = 255 - image[:150]
    assert not is_negative(image)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (600, 400)])
def test_what_holds_nothing_stays(level: int, size: tuple[int, int]) -> None:
    assert not is_negative(np.full((*size, 3), level, np.uint8))


def test_an_engine_sees_a_negative_as_the_page_that_it_is_of() -> None:
    engine = PageEngine(InputSpec(long_side_px=640))
    seen, of_negative = engine.prepare([page(), 255 - page()])
    assert isinstance(seen, Prepared) and isinstance(of_negative, Prepared)
    np.testing.assert_array_equal(seen.payload.pixels, of_negative.payload.pixels)
    assert seen.payload.skew_deg == of_negative.payload.skew_deg
