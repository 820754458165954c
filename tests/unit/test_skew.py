from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments import geometry
from deployments.detection.skew import Pose, estimate_pose, estimate_skew
from deployments.types import Image

WORDS = "Northern lights over an old harbour town in winter"


def text_page(height: int = 1100, width: int = 800, lines: int = 30, level: int = 245) -> Image:
    page = np.full((height, width, 3), level, np.uint8)
    for row in range(lines):
        where = (60, 60 + row * (height - 120) // max(lines, 1))
        cv2.putText(page, WORDS[: 20 + row * 7 % 30], where, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 40), 2)
    return page


def turned(page: Image, angle_deg: float, fill: int | None = None) -> Image:
    affine, size = geometry.rotation(angle_deg, page.shape[1], page.shape[0])
    return geometry.warp(page, affine, size, fill=fill)


@pytest.mark.parametrize("angle_deg", [-14.5, -7.3, -1.0, -0.3, 0.3, 0.8, 2.5, 9.0, 14.0])
def test_the_angle_of_a_turned_page_is_found(angle_deg: float) -> None:
    assert estimate_skew(turned(text_page(), angle_deg)) == pytest.approx(angle_deg, abs=0.15)


def test_a_straight_page_has_none() -> None:
    assert estimate_skew(text_page()) == 0


def test_a_page_photographed_on_a_dark_table_is_judged_by_its_text() -> None:
    framed = cv2.copyMakeBorder(text_page(), 80, 120, 150, 60, cv2.BORDER_CONSTANT, value=(20, 15, 10))
    assert estimate_skew(turned(framed, 4.0, fill=15)) == pytest.approx(4.0, abs=0.15)


def test_uneven_light_does_not_matter() -> None:
    page = turned(text_page(), -3.0)
    light = np.linspace(0.35, 1.0, page.shape[1])[None, :, None]
    assert estimate_skew((page * light).astype(np.uint8)) == pytest.approx(-3.0, abs=0.15)


def test_rules_of_a_table_agree_with_its_text() -> None:
    page = text_page(lines=12)
    for y in range(40, 1060, 85):
        cv2.line(page, (40, y), (760, y), (0, 0, 0), 2)
    for x in (40, 300, 520, 760):
        cv2.line(page, (x, 40), (x, 1060), (0, 0, 0), 2)
    assert estimate_skew(turned(page, 5.0)) == pytest.approx(5.0, abs=0.15)


def test_a_nearly_empty_page_is_left_alone() -> None:
    page = np.full((1000, 700, 3), 255, np.uint8)
    assert estimate_skew(page) == 0
    page[500:503, 300:306] = 0
    assert estimate_skew(page) == 0


def test_noise_has_no_direction() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 500, 3), dtype=np.uint8)
    assert estimate_skew(noise) == 0


def test_an_angle_beyond_the_limit_is_not_half_corrected() -> None:
    page = turned(text_page(), 9.0)
    assert estimate_skew(page, max_skew_deg=5.0) == 0
    assert estimate_skew(page, max_skew_deg=0.0) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (7, 3), (3000, 20)])
def test_tiny_images_have_none(shape: tuple[int, int]) -> None:
    stripes = np.zeros((*shape, 3), np.uint8)
    stripes[::3] = 255
    assert estimate_skew(stripes) == 0


def from_one_side(page: Image, keystone: float, fill: int = 245) -> Image:
    """The page as a camera sees it from one side: the inverse of what levels it."""
    height, width = page.shape[:2]
    level, size = geometry.level_keystone(-keystone / max(height, width), width, height)
    return geometry.warp_projective(page, level, size, fill)


@pytest.mark.parametrize("keystone", [-0.12, -0.07, 0.06, 0.1, 0.15])
@pytest.mark.parametrize("angle_deg", [0.0, 5.0])
def test_the_keystone_of_a_photographed_page_is_found(keystone: float, angle_deg: float) -> None:
    page = text_page()
    taken = turned(from_one_side(page, keystone), angle_deg, fill=245)
    pose = estimate_pose(taken)
    assert pose.quarter_turns == 0
    assert pose.skew_deg == pytest.approx(angle_deg, abs=0.15)
    # It is told for the longer side of the picture, which is longer than that of the page.
    assert pose.keystone == pytest.approx(keystone * max(taken.shape) / max(page.shape), abs=0.008)


@pytest.mark.parametrize("angle_deg", [-9.0, 0.0, 0.8, 5.0])
def test_a_page_that_lies_flat_has_no_keystone(angle_deg: float) -> None:
    assert estimate_pose(turned(text_page(), angle_deg, fill=245)).keystone == 0


def test_the_lower_half_of_a_letter_may_be_empty() -> None:
    page = text_page()
    page[550:] = 245
    assert estimate_pose(page).keystone == 0
    assert estimate_pose(from_one_side(page, 0.1)).keystone == pytest.approx(0.1, abs=0.03)


def test_the_uneven_lines_of_a_hand_are_no_keystone() -> None:
    """A few lines, each with a slope of its own."""
    page = np.full((1100, 800, 3), 245, np.uint8)
    for row, slope in enumerate([0.02, -0.015, 0.01, -0.02, 0.015, 0.0, -0.01]):
        line = np.full((120, 700, 3), 245, np.uint8)
        cv2.putText(line, WORDS[:30], (10, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (30, 30, 40), 2)
        page[150 + 120 * row : 270 + 120 * row, 50:750] = cv2.warpAffine(
            line, np.array([[1, 0, 0], [-slope, 1, 350 * slope]]), (700, 120), borderValue=(245,) * 3
        )
    assert estimate_pose(page).keystone == 0


def test_no_keystone_is_sought_where_no_skew_is() -> None:
    assert estimate_pose(from_one_side(text_page(), 0.1), max_skew_deg=0.0) == Pose()


@pytest.mark.parametrize("quarters", [1, 3])
@pytest.mark.parametrize("angle_deg", [0.0, -6.0, 11.0])
def test_a_page_on_its_side_is_laid_level(quarters: int, angle_deg: float) -> None:
    page = np.rot90(turned(text_page(), angle_deg, fill=245), quarters)
    pose = estimate_pose(np.ascontiguousarray(page))
    assert pose.quarter_turns == 1
    assert pose.skew_deg == pytest.approx(angle_deg, abs=0.15)


@pytest.mark.parametrize("quarters", [0, 2])
def test_a_page_that_lies_level_is_left_so(quarters: int) -> None:
    page = np.ascontiguousarray(np.rot90(turned(text_page(), 5.0, fill=245), quarters))
    assert estimate_pose(page).quarter_turns == 0
    assert estimate_pose(page).skew_deg == pytest.approx(5.0, abs=0.15)


def ledger(rows: int) -> Image:
    """Columns of figures between upright rules, with few rows filled in."""
    page = np.full((1100, 800, 3), 245, np.uint8)
    for x in range(50, 800, 50):
        cv2.line(page, (x, 40), (x, 1060), (60, 60, 60), 2)
    for row in range(rows):
        for x in range(60, 740, 50):
            cv2.putText(page, "47", (x, 90 + 40 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 40), 2)
    return page


@pytest.mark.parametrize("rows", [3, 6])
def test_upright_rules_count_neither_for_lines_nor_against_them(rows: int) -> None:
    assert estimate_pose(ledger(rows)).quarter_turns == 0
    assert estimate_pose(np.ascontiguousarray(np.rot90(ledger(rows)))).quarter_turns == 1


def test_the_edges_of_a_sheet_do_not_hide_that_it_lies_on_its_side() -> None:
    sheet = np.rot90(text_page(lines=12))
    page = cv2.copyMakeBorder(sheet, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=(250, 250, 250))
    for y in (50, 56, page.shape[0] - 56, page.shape[0] - 50):
        cv2.line(page, (40, y), (page.shape[1] - 40, y), (90, 90, 90), 2)
    assert estimate_pose(page).quarter_turns == 1


def test_the_rules_of_a_table_do_not_turn_its_page() -> None:
    page = text_page()
    for x in range(40, 780, 90):
        cv2.line(page, (x, 40), (x, 1060), (60, 60, 60), 2)
    assert estimate_pose(page).quarter_turns == 0


def test_noise_has_no_side() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 64, 3), dtype=np.uint8)
    assert estimate_pose(noise) == Pose()


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (700, 3), (40, 40)])
def test_tiny_pages_have_no_pose(shape: tuple[int, int]) -> None:
    assert estimate_pose(np.full((*shape, 3), 200, np.uint8)) == Pose()
