"""Pages with tiny letters are looked at again in parts; others are not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from deployments.errors import Outcome, StageFailed
from deployments.geometry import Box, quad_bounds, quad_from_box
from deployments.types import Image, PageLines, TextLine
from serve_app.closer import look_closer

# The least share of a picture's longer side that a line must have to be found.
FOUND_FROM = 1 / 160


class Detector:
    """Finds dark boxes; those that come out too low, it overlooks. Remembers the sizes it was shown."""

    def __init__(self, skews: Sequence[float] = ()) -> None:
        self.shown: list[list[tuple[int, int]]] = []
        self._skews = iter(skews)

    async def __call__(self, pictures: list[Image]) -> list[Outcome[PageLines]]:
        self.shown.append([(picture.shape[1], picture.shape[0]) for picture in pictures])
        return [self.lines_of(picture) for picture in pictures]

    def lines_of(self, picture: Image) -> PageLines:
        _, _, boxes, _ = cv2.connectedComponentsWithStats(np.uint8(picture[..., 0] < 128))
        least_px = FOUND_FROM * max(picture.shape[:2])
        lines = [
            TextLine(quad_from_box(tuple(box[:4])), 0.5 + 0.001 * box[2])
            for box in boxes[1:].tolist()
            if box[3] >= least_px
        ]
        return PageLines(tuple(lines), next(self._skews, 0.0))

    async def read(self, page: Image, times: int = 2, most_lines: int = 1000) -> PageLines:
        return await look_closer(page, self.lines_of(page), self, times, most_lines)


def drawn(width_px: int, height_px: int, boxes: Sequence[Box]) -> Image:
    page = np.full((height_px, width_px, 3), 255, np.uint8)
    for left, top, width, height in boxes:
        page[top : top + height, left : left + width] = 0
    return page


def column(left: int, top: int, width: int, height: int, count: int) -> list[Box]:
    """Lines beneath each other, a line's height apart."""
    return [(left, top + 2 * height * i, width, height) for i in range(count)]


def boxes_of(found: PageLines) -> list[Box]:
    return sorted(quad_bounds(line.quad) for line in found.lines)


async def test_a_page_with_letters_of_the_usual_size_is_looked_at_once() -> None:
    page = drawn(700, 1000, column(300, 400, 80, 14, 5))
    detector = Detector()
    assert len((await detector.read(page)).lines) == 5
    assert detector.shown == []


async def test_a_receipt_on_a_large_sheet_is_looked_at_by_itself() -> None:
    boxes = column(1200, 300, 200, 20, 12)
    faint = (1210, 780, 30, 11)  # beneath the others: overlooked at first
    detector = Detector()
    found = await detector.read(drawn(1700, 2400, [*boxes, faint]))
    assert boxes_of(found) == sorted([*boxes, faint])
    # As large as lines are wanted, and no larger.
    assert detector.shown == [[(740, 1000)]]


async def test_a_spread_is_looked_at_page_by_page_and_each_line_kept_once() -> None:
    boxes = column(100, 30, 600, 13, 44) + column(900, 30, 600, 13, 44)
    detector = Detector(skews=(0.0, 1.0, 1.0))
    found = await detector.read(drawn(1600, 1200, boxes))
    assert boxes_of(found) == sorted(boxes)
    assert found.skew_deg == 1.0
    ((one, other),) = detector.shown
    assert max(*one, *other) <= 1200


@pytest.mark.parametrize("left", [500, 560, 650])
async def test_a_headline_across_both_halves_is_kept_once_and_whole(left: int) -> None:
    boxes = [*column(100, 80, 600, 13, 42), *column(900, 80, 600, 13, 42), (left, 30, 480, 13)]
    assert boxes_of(await Detector().read(drawn(1600, 1200, boxes))) == sorted(boxes)


async def test_a_headline_that_was_overlooked_is_put_together_from_both_halves() -> None:
    headline = (300, 30, 1800, 11)
    boxes = [*column(100, 80, 900, 16, 30), *column(1400, 80, 900, 16, 30)]
    detector = Detector()
    page = drawn(2400, 1200, [*boxes, headline])
    assert boxes_of(detector.lines_of(page)) == sorted(boxes)
    assert boxes_of(await detector.read(page)) == sorted([*boxes, headline])
    ((left_px, _), (right_px, _)) = detector.shown[0]
    assert max(left_px, right_px) < 1800  # Neither half showed the whole of it.


async def test_lines_that_the_cut_runs_through_are_kept_whole() -> None:
    boxes = column(50, 60, 900, 11, 70)
    detector = Detector()
    found = await detector.read(drawn(1000, 1650, boxes))
    assert boxes_of(found) == sorted(boxes)
    assert len(detector.shown[0]) == 2


async def test_a_newspaper_is_looked_at_closer_still() -> None:
    heads, text, notes = [], [], []
    for left in range(60, 3900, 480):
        for top in (60, 2360):
            heads += column(left, top, 400, 30, 6)
            text += column(left, top + 500, 400, 16, 30)
            notes += column(left, top + 1700, 400, 12, 10)
    page = drawn(3900, 4600, heads + text + notes)
    detector = Detector()
    assert boxes_of(detector.lines_of(page)) == sorted(heads)
    assert boxes_of(await detector.read(page, times=1)) == sorted(heads + text)
    assert boxes_of(await detector.read(page, times=2)) == sorted(heads + text + notes)


async def test_nothing_is_looked_at_again_where_that_is_switched_off_or_nothing_was_found() -> None:
    detector = Detector()
    page = drawn(1700, 2400, column(1200, 300, 200, 20, 12))
    assert len((await detector.read(page, times=0)).lines) == 12
    assert (await detector.read(drawn(1700, 2400, []))).lines == ()
    assert detector.shown == []


async def test_a_page_stays_as_it_was_where_a_part_fails_or_shows_less() -> None:
    page = drawn(1600, 1400, column(100, 100, 600, 12, 50) + column(900, 100, 600, 12, 50))
    found = Detector().lines_of(page)

    async def one_fails(pictures: list[Image]) -> list[Outcome[PageLines]]:
        return [StageFailed("lost"), *(found for _ in pictures[1:])]

    async def shows_less(pictures: list[Image]) -> list[Outcome[PageLines]]:
        return [PageLines(()) for _ in pictures]

    assert await look_closer(page, found, one_fails, 2, 1000) is found
    assert await look_closer(page, found, shows_less, 2, 1000) is found


async def test_the_surest_lines_are_kept_where_there_are_too_many() -> None:
    boxes = column(1200, 300, 200, 20, 12)
    overlooked = [(1200, 780 + 20 * i, 40 + i, 11) for i in range(6)]
    found = await Detector().read(drawn(1700, 2400, boxes + overlooked), most_lines=14)
    assert boxes_of(found) == sorted([*boxes, *overlooked[-2:]])
    found = await Detector().read(drawn(1700, 2400, boxes + overlooked), most_lines=1)
    assert boxes_of(found) == sorted(boxes)
