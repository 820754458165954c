"""Ends of lines that follow the ink."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deployments.detection.line_ends import ink_mask, reach_ends, without_rules
from deployments.types import Image

SQUEEZE = 0.5


def page_with(*spans: tuple[int, int]) -> Image:
    """A page of 60 x 200 with letters, bars of 2 px every 4 px, in rows 20 to 40 of each span."""
    page = np.full((60, 200, 3), 230, np.uint8)
    for left, right in spans:
        for x in range(left, right, 4):
            page[20:40, x : x + 2] = 40
    return page


def box(left: float, right: float, top: float = 18, bottom: float = 42) -> npt.NDArray[np.float32]:
    return np.array([[left, top, right, bottom]], np.float32)


def test_an_end_within_a_word_moves_to_the_end_of_the_word() -> None:
    moved = reach_ends(box(50, 88), ink_mask(page_with((40, 100))), SQUEEZE)
    assert abs(moved[0, 0] - 40) <= 1 and abs(moved[0, 2] - 98) <= 1
    assert moved[0, 1] == 18 and moved[0, 3] == 42


def test_an_end_on_paper_stays() -> None:
    moved = reach_ends(box(34, 108), ink_mask(page_with((40, 100))), SQUEEZE)
    assert moved.tolist() == box(34, 108).tolist()


def test_an_end_far_out_on_paper_comes_in() -> None:
    moved = reach_ends(box(10, 150), ink_mask(page_with((40, 100))), SQUEEZE)
    assert 30 <= moved[0, 0] < 40 and 98 < moved[0, 2] <= 108


def test_a_box_of_one_figure_comes_in_to_the_figure() -> None:
    """Half a height of paper on either side is little for a line, and half the box of a figure."""
    moved = reach_ends(box(44, 62), ink_mask(page_with((50, 56))), SQUEEZE)
    assert 47 <= moved[0, 0] < 50 and 56 <= moved[0, 2] <= 58
    line = box(34, 106)
    assert reach_ends(line, ink_mask(page_with((40, 100))), SQUEEZE).tolist() == line.tolist()


def test_a_figure_with_little_paper_stays() -> None:
    assert reach_ends(box(48, 57), ink_mask(page_with((50, 56))), SQUEEZE).tolist() == box(48, 57).tolist()


def test_a_box_without_ink_stays() -> None:
    for paper in (box(10, 150), box(50, 60)):
        assert reach_ends(paper, ink_mask(page_with()), SQUEEZE).tolist() == paper.tolist()


def test_a_gap_between_words_is_not_crossed() -> None:
    moved = reach_ends(box(40, 80), ink_mask(page_with((40, 80), (96, 140))), SQUEEZE)
    assert moved[0, 2] <= 81


def test_an_end_goes_no_farther_than_its_reach() -> None:
    moved = reach_ends(box(40, 60), ink_mask(page_with((40, 190))), SQUEEZE)
    assert 80 <= moved[0, 2] <= 60 + 2.0 * 24 * SQUEEZE + 1


def test_lines_do_not_grow_into_each_other() -> None:
    boxes = np.concatenate([box(40, 90), box(96, 150)])
    moved = reach_ends(boxes, ink_mask(page_with((40, 150))), SQUEEZE)
    assert moved[0, 2] <= 96 and moved[1, 0] >= 90


def test_ends_stay_on_the_page_and_nothing_is_written_to_the_input() -> None:
    boxes = box(4, 196)
    page = page_with((0, 200))
    page.flags.writeable = False
    moved = reach_ends(boxes, ink_mask(page), SQUEEZE)
    assert moved[0, 0] >= 0 and moved[0, 2] <= 200
    assert boxes.tolist() == box(4, 196).tolist()


def test_the_rule_under_an_answer_is_not_followed() -> None:
    page = page_with((40, 100))
    page[37:39] = 40
    moved = reach_ends(box(40, 99), ink_mask(page), SQUEEZE)
    assert moved[0, 0] == 40 and moved[0, 2] <= 100


def test_nothing_found_stays_nothing() -> None:
    assert reach_ends(np.zeros((0, 4), np.float32), ink_mask(page_with((40, 100))), SQUEEZE).shape == (0, 4)


def test_ink_is_what_is_darker_than_the_paper_around_it() -> None:
    page = np.repeat(np.linspace(120, 250, 200)[None, :, None], 60, axis=0).repeat(3, axis=2).astype(np.uint8)
    assert not ink_mask(page).any()
    page[20:40, 100:102] -= 60
    assert ink_mask(page)[20:40, 100:102].all()


def test_an_end_does_not_follow_the_rules_of_a_form() -> None:
    """A rule through the rows of the letters, and the side of the next cell within reach."""
    page = page_with((40, 100))
    page[34:36, :] = 40
    page[:, 118:120] = 40
    ink = ink_mask(page)
    led_astray = reach_ends(box(38, 102), ink, SQUEEZE)
    assert led_astray[0, 2] > 115
    moved = reach_ends(box(38, 102), without_rules(ink), SQUEEZE)
    assert abs(moved[0, 0] - 38) <= 2 and abs(moved[0, 2] - 102) <= 2


def test_letters_are_no_rules() -> None:
    ink = ink_mask(page_with((40, 100)))
    assert (without_rules(ink) == ink).all()
