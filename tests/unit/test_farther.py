"""Pictures of a few large words are looked at again from farther off; others are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.errors import Outcome, StageFailed
from deployments.geometry import Box, quad_bounds, quad_from_box
from deployments.types import Image, PageLines, TextLine
from serve_app.farther import FAR_PX, look_farther

# Taller boxes than this share of what it knows as a page are overlooked.
PAGE_PX, FOUND_UP_TO_PX = 500, 60


class Detector:
    """Finds dark boxes in pictures that it enlarges twice at most, but for those that come out too high."""

    def __init__(self, score: float = 0.5, failing_px: int = 0) -> None:
        self.shown_px: list[int] = []
        self._score, self._failing_px = score, failing_px

    async def __call__(self, pictures: list[Image]) -> list[Outcome[PageLines]]:
        self.shown_px += [max(picture.shape[:2]) for picture in pictures]
        return [
            StageFailed("x") if max(picture.shape[:2]) == self._failing_px else self.lines_of(picture)
            for picture in pictures
        ]

    def lines_of(self, picture: Image) -> PageLines:
        scale = min(2.0, PAGE_PX / max(picture.shape[:2]))
        _, _, boxes, _ = cv2.connectedComponentsWithStats(np.uint8(picture[..., 0] < 128))
        lines = [
            TextLine(quad_from_box(tuple(box[:4])), self._score)
            for box in boxes[1:].tolist()
            if box[3] * scale <= FOUND_UP_TO_PX
        ]
        return PageLines(tuple(lines), 0.25)


def drawn(width_px: int, height_px: int, *boxes: Box) -> Image:
    page = np.full((height_px, width_px, 3), 255, np.uint8)
    for left, top, width, height in boxes:
        page[top : top + height, left : left + width] = 0
    return page


async def test_a_word_that_fills_its_picture_is_found_from_farther_off() -> None:
    word = drawn(800, 400, (80, 200, 640, 100))
    detect = Detector()
    assert not detect.lines_of(word).lines
    found = await look_farther(word, detect.lines_of(word), detect)
    assert detect.shown_px == list(FAR_PX)
    (line,) = found.lines
    np.testing.assert_allclose(quad_bounds(line.quad), (80, 200, 640, 100), atol=8)
    assert (line.score, found.skew_deg) == (0.5, 0.25)


async def test_words_beside_a_large_one_are_found_too() -> None:
    page = drawn(1000, 800, (100, 100, 800, 250), (100, 500, 600, 110))
    detect = Detector()
    first = detect.lines_of(page)
    assert len(first.lines) == 1
    assert len((await look_farther(page, first, detect)).lines) == 2


async def test_ordinary_pages_are_looked_at_once() -> None:
    page = drawn(800, 1000, *((100, top, 600, 20) for top in range(100, 900, 60)))
    detect = Detector()
    first = detect.lines_of(page)
    assert await look_farther(page, first, detect) is first and not detect.shown_px


async def test_blank_pages_are_looked_at_once() -> None:
    noisy = np.random.default_rng(0).normal(230, 4, (600, 400, 3)).clip(0, 255).astype(np.uint8)
    for page in (drawn(400, 600), noisy):
        detect = Detector()
        assert (await look_farther(page, PageLines(()), detect)).lines == () and not detect.shown_px


async def test_what_was_seen_better_from_near_stays() -> None:
    page = drawn(400, 300, (50, 50, 300, 44))
    near, far = Detector(score=0.9), Detector(score=0.4)
    first = near.lines_of(page)
    assert await look_farther(page, first, far) is first and far.shown_px


@pytest.mark.parametrize(("failing_px", "found"), [(FAR_PX[0], 1), (FAR_PX[1], 1)])
async def test_a_look_that_fails_shows_nothing(failing_px: int, found: int) -> None:
    word = drawn(800, 400, (80, 200, 640, 100))
    detect = Detector(failing_px=failing_px)
    assert len((await look_farther(word, detect.lines_of(word), detect)).lines) == found


async def test_pictures_that_are_small_already_are_not_reduced_to_nothing() -> None:
    tiny, strip = drawn(60, 20, (20, 4, 20, 12)), drawn(3000, 4, (100, 0, 2000, 4))
    detect = Detector()
    assert (await look_farther(tiny, PageLines(()), detect)).lines == () and not detect.shown_px
    await look_farther(strip, PageLines(()), detect)
    assert detect.shown_px == list(FAR_PX)


@pytest.mark.parametrize("height_px", [33, 56, 64])
async def test_lines_lie_on_the_page_whatever_its_sides_are_rounded_to(height_px: int) -> None:
    async def detect(pictures: list[Image]) -> list[Outcome[PageLines]]:
        quads = [quad_from_box((0, 0, picture.shape[1], picture.shape[0])) for picture in pictures]
        return [PageLines((TextLine(quad, 0.9),)) for quad in quads]

    page = drawn(1000, height_px, (100, 8, 800, height_px - 16))
    (line,) = (await look_farther(page, PageLines(()), detect)).lines
    np.testing.assert_allclose(quad_bounds(line.quad), (0, 0, 1000, height_px), atol=1e-3)
