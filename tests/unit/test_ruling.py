"""Upright rules of forms on the lines that are cut: taken off where they are, and nothing else touched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.geometry import DegenerateQuad, cut_crop, quad_from_box, rotate_points
from deployments.ruling import LineCutter
from deployments.types import Image, Points

PAPER, INK = 245, 30
MARGIN, HEIGHT_PX = 0.04, 64
LINE = quad_from_box((100, 100, 260, 40))


def page() -> Image:
    """A row of ones and ells, as tall as their line, 100 to 360 across and 100 to 140 down."""
    page = np.full((260, 500, 3), PAPER, np.uint8)
    for x in range(116, 350, 24):
        page[104:136, x : x + 4] = INK
    return page


def cut(page: Image, quad: Points = LINE) -> Image:
    return LineCutter(page, HEIGHT_PX, MARGIN).cut(quad)


def plain(page: Image, quad: Points = LINE) -> Image:
    return cut_crop(page, quad, HEIGHT_PX, MARGIN)


def test_a_line_without_rules_comes_to_the_last_bit() -> None:
    np.testing.assert_array_equal(cut(page()), plain(page()))


@pytest.mark.parametrize("column", [99, 104, 352, 358])
@pytest.mark.parametrize("thick", [1, 2, 5])
def test_a_rule_beside_the_text_is_taken_off(column: int, thick: int) -> None:
    ruled = page()
    ruled[60:200, column : column + thick] = INK
    assert np.abs(plain(ruled).astype(int) - plain(page())).max() > 150
    assert np.abs(cut(ruled).astype(int) - plain(page())).max() < 12


def test_the_dividers_of_a_comb_are_taken_off_and_letters_between_them_stay() -> None:
    ruled = page()
    for x in range(106, 360, 24):
        ruled[90:150, x : x + 2] = INK
    ruled[90:92, 100:360] = ruled[148:150, 100:360] = INK
    assert np.abs(cut(ruled).astype(int) - plain(page())).max() < 12


def test_a_side_that_ends_in_the_rule_above_is_taken_off() -> None:
    """The corner of a cell, close over the line."""
    ruled = page()
    ruled[94:97, 100:400] = INK
    ruled[94:220, 103:106] = INK
    assert np.abs(cut(ruled).astype(int) - plain(page()))[6:].max() < 12


def test_letters_are_no_rules_however_tightly_their_line_is_found() -> None:
    """A box that cuts the letters above and below: they still end within reach."""
    tight = quad_from_box((100, 108, 260, 24))
    np.testing.assert_array_equal(cut(page(), tight), plain(page(), tight))


def test_letters_between_close_rules_are_no_rules() -> None:
    ruled = page()
    ruled[98:100, 90:370] = ruled[140:142, 90:370] = INK
    ruled[100:140, 200:204] = INK  # A 1 from one to the other.
    np.testing.assert_array_equal(cut(ruled), plain(ruled))


def test_a_letter_that_crosses_a_rule_stays_whole() -> None:
    ruled = page()
    ruled[118:122, 112:350] = INK  # A dash through all letters.
    crossed = ruled.copy()
    ruled[60:200, 130:132] = INK
    assert np.abs(cut(ruled).astype(int) - plain(crossed)).max() < 40


def test_a_rule_that_touches_a_letter_leaves_it_as_thin_as_it_is() -> None:
    ruled = page()
    ruled[60:200, 145:149] = INK  # A letter ends at 144.
    mended = cut(ruled)[30]
    at = round((148.5 - 100 + MARGIN * 40) * mended.shape[0] / (260 + 2 * MARGIN * 40))
    assert mended[at].min() > 150


def test_a_rule_in_the_shadow_is_taken_off() -> None:
    """Half the line in half the light: paper there is darker than a faint rule elsewhere."""
    shaded = page()
    shaded[:, 230:] = shaded[:, 230:] // 2
    ruled = shaded.copy()
    ruled[60:200, 352:354] = INK // 2
    assert np.abs(cut(ruled).astype(int) - plain(shaded)).max() < 12


def test_thick_dark_bands_are_no_rules() -> None:
    """The shadow beside a page, or a photograph."""
    shaded = page()
    shaded[:, 340:] = INK
    np.testing.assert_array_equal(cut(shaded), plain(shaded))


def test_rules_of_a_turned_page_are_taken_off() -> None:
    ruled = page()
    ruled[60:200, 103:106] = INK
    turn = cv2.getRotationMatrix2D((250, 130), 6, 1)
    turned, clean = (
        cv2.warpAffine(each, turn, (500, 260), borderValue=(PAPER,) * 3) for each in (ruled, page())
    )
    quad = rotate_points(LINE, 6, (250, 130))
    assert np.abs(plain(turned, quad).astype(int) - plain(clean, quad)).max() > 150
    assert np.abs(cut(turned, quad).astype(int) - plain(clean, quad)).max() < 60


@pytest.mark.parametrize("box", [(0, 0, 500, 260), (100, 0, 260, 40), (100, 225, 260, 40)])
def test_a_line_at_the_edge_of_the_page_comes_as_it_is(box: tuple[int, int, int, int]) -> None:
    """What lies beyond cannot be known; a picture of one line is all edge."""
    ruled = page()
    ruled[:, 103:106] = INK
    quad = quad_from_box(box)
    np.testing.assert_array_equal(cut(ruled, quad), plain(ruled, quad))


def test_the_page_is_not_written_to() -> None:
    ruled = page()
    ruled[60:200, 104:106] = INK
    before = ruled.copy()
    cut(ruled)
    np.testing.assert_array_equal(ruled, before)


def test_a_quad_without_area_is_refused() -> None:
    with pytest.raises(DegenerateQuad):
        cut(page(), np.zeros((4, 2), np.float32))


@pytest.mark.parametrize("size", [(1, 1), (14, 2), (3, 13), (40, 400)])
def test_small_and_blank_lines_are_cut(size: tuple[int, int]) -> None:
    height, width = size
    blank = np.full((100, 500, 3), 7, np.uint8)
    assert cut(blank, quad_from_box((50, 30, width, height))).size > 0
