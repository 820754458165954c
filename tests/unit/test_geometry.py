from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import geometry
from deployments.geometry import DegenerateQuad, cut_crop, quad_from_box


def page_with_gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Red holds the column, green the row, so that every pixel says where it came from."""
    page = np.zeros((height, width, 3), np.uint8)
    page[..., 0] = np.arange(width)
    page[..., 1] = np.arange(height)[:, None]
    return page


def test_quad_and_box_are_inverse() -> None:
    quad = quad_from_box((3, 4, 10, 5))
    assert quad.tolist() == [[3, 4], [13, 4], [13, 9], [3, 9]]
    assert geometry.quad_bounds(quad) == (3, 4, 10, 5)
    assert geometry.quad_size(quad) == (10, 5)
    assert geometry.quad_area(quad) == 50


def test_cut_of_an_upright_quad_is_the_slice_and_read_only_pages_are_fine() -> None:
    page = page_with_gradient()
    page.flags.writeable = False
    crop = cut_crop(page, quad_from_box((5, 7, 20, 10)))
    assert crop.flags.c_contiguous and crop.dtype == np.uint8
    np.testing.assert_array_equal(crop, page[7:17, 5:25])


def test_cut_of_a_slightly_slanted_quad_follows_it_to_half_a_pixel() -> None:
    page = page_with_gradient()
    quad = np.array([[5, 10], [45, 6], [45, 16], [5, 20]], np.float32)  # rises 4 px over 40
    crop = cut_crop(page, quad).astype(int)
    assert crop.shape == (10, 40, 3)
    # The first pixel's centre is (5.5, 10.45) on the page: column 5, row 9.95.
    assert abs(crop[0, 0, 0] - 5) <= 1 and abs(crop[0, 0, 1] - 10) <= 1
    assert abs(crop[0, -1, 0] - 44) <= 1 and abs(crop[0, -1, 1] - 6) <= 1


def test_cut_of_a_quad_turned_by_90_degrees_is_upright() -> None:
    page = page_with_gradient()
    # Text that reads upwards: its top-left corner is at the bottom left of the region.
    quad = np.array([[10, 30], [10, 10], [20, 10], [20, 30]], np.float32)
    crop = cut_crop(page, quad)
    np.testing.assert_array_equal(crop, np.rot90(page[10:30, 10:20], k=-1))


def test_cut_of_a_trapezoid_uses_perspective() -> None:
    page = page_with_gradient()
    quad = np.array([[10, 10], [40, 5], [40, 25], [10, 20]], np.float32)
    crop = cut_crop(page, quad).astype(int)
    assert crop.shape == (15, 31, 3) or crop.shape == (15, 30, 3)
    assert crop[0, -1, 1] <= 6 and crop[-1, -1, 1] >= 23
    assert 9 <= crop[0, 0, 1] <= 11 and 18 <= crop[-1, 0, 1] <= 20


def test_tall_lines_shrink_by_area_and_low_ones_are_not_enlarged() -> None:
    page = np.zeros((200, 300, 3), np.uint8)
    page[::2] = 255
    crop = cut_crop(page, quad_from_box((0, 0, 300, 128)), max_height_px=32)
    assert crop.shape == (32, 75, 3)
    assert np.abs(crop.astype(int) - 127).max() <= 1  # stripes average out instead of aliasing
    assert cut_crop(page, quad_from_box((0, 0, 50, 8)), max_height_px=32).shape == (8, 50, 3)


def test_margin_is_a_fraction_of_the_height_and_repeats_the_border() -> None:
    page = np.full((20, 40, 3), 200, np.uint8)
    crop = cut_crop(page, quad_from_box((0, 0, 30, 10)), margin=0.2)
    assert crop.shape == (14, 34, 3)
    assert (crop == 200).all()


@pytest.mark.parametrize(
    "quad",
    [
        [[0, 0], [10, 0], [10, 0.4], [0, 0.4]],
        [[5, 5], [5, 5], [5, 5], [5, 5]],
        [[0, 0], [10, 10], [10, 0], [0, 10]],
        [[10, 0], [0, 0], [0, 10], [10, 10]],
        [[0, 0], [np.nan, 0], [10, 10], [0, 10]],
    ],
    ids=["flat", "point", "folded", "mirrored", "nan"],
)
def test_degenerate_quads_are_refused(quad: list[list[float]]) -> None:
    with pytest.raises(DegenerateQuad):
        cut_crop(page_with_gradient(), np.array(quad, np.float32))


def test_a_quad_of_another_shape_is_refused() -> None:
    with pytest.raises(DegenerateQuad, match=r"shape \(4, 2\)"):
        cut_crop(page_with_gradient(), np.zeros((3, 2), np.float32))


def test_rotation_is_counter_clockwise_as_seen() -> None:
    turned = geometry.rotate_points(np.array([[10, 0]], np.float32), 90, (0, 0))
    np.testing.assert_allclose(turned, [[0, -10]], atol=1e-5)


@given(st.floats(-180, 180), st.integers(1, 500), st.integers(1, 500))
def test_rotation_keeps_the_whole_page_in_view(angle: float, width: int, height: int) -> None:
    affine, (new_width, new_height) = geometry.rotation(angle, width, height)
    corners = quad_from_box((0, 0, width, height))
    turned = geometry.transform_points(corners, affine)
    assert turned.min() >= -0.51
    assert (turned.max(axis=0) <= np.array([new_width, new_height]) + 0.51).all()
    same = geometry.project_points(corners, geometry.as_homography(affine))
    np.testing.assert_allclose(same, turned, atol=1e-3)


@given(st.floats(-0.2, 0.2), st.integers(20, 500), st.integers(20, 500))
def test_lines_that_converge_become_parallel(keystone: float, width: int, height: int) -> None:
    per_px = keystone / max(width, height)
    level, (new_width, new_height) = geometry.level_keystone(per_px, width, height)
    corners = geometry.project_points(quad_from_box((0, 0, width, height)), level)
    assert corners.min() >= -0.51
    assert (corners.max(axis=0) <= np.array([new_width, new_height]) + 0.51).all()
    for low in (-0.4, 0.0, 0.3):
        rise = per_px * low * height
        middle = np.array([width / 2, height / 2 + low * height])
        ends = middle + np.array([[-1.0, rise], [1.0, -rise]]) * width / 3
        left, right = geometry.project_points(ends, level)
        assert left[1] == pytest.approx(right[1], abs=1e-2)


def test_a_projective_warp_moves_pixels_as_it_moves_points() -> None:
    page = np.full((200, 300, 3), 255, np.uint8)
    page[140:150, 40:60] = 0
    level, size = geometry.level_keystone(0.1 / 300, 300, 200)
    rows, columns = np.nonzero(geometry.warp_projective(page, level, size, fill=200)[..., 0] < 100)
    expected = geometry.project_points(quad_from_box((40, 140, 20, 10)), level)
    assert columns.mean() + 0.5 == pytest.approx(expected[:, 0].mean(), abs=0.3)
    assert rows.mean() + 0.5 == pytest.approx(expected[:, 1].mean(), abs=0.3)


def test_warp_by_the_identity_changes_nothing() -> None:
    page = page_with_gradient()
    affine, size = geometry.rotation(0, 60, 40)
    np.testing.assert_array_equal(geometry.warp(page, affine, size), page)


def test_warp_by_90_degrees_is_exact() -> None:
    page = page_with_gradient()
    affine, size = geometry.rotation(90, 60, 40)
    assert size == (40, 60)
    np.testing.assert_array_equal(geometry.warp(page, affine, size), np.rot90(page))


def test_warp_fills_outside() -> None:
    affine, size = geometry.rotation(45, 10, 10)
    assert geometry.warp(np.zeros((10, 10, 3), np.uint8), affine, size, fill=255)[0, 0].tolist() == [255] * 3


def test_clip_moves_corners_onto_the_page() -> None:
    quad = quad_from_box((-5, -5, 20, 100))
    assert geometry.clip_quad(quad, 60, 40).tolist() == [[0, 0], [15, 0], [15, 40], [0, 40]]


def test_grow_quad_follows_the_text() -> None:
    quad = np.array([[10, 30], [10, 10], [20, 10], [20, 30]], np.float32)  # reads upwards
    grown = geometry.grow_quad(quad, along_px=2, across_px=1)
    assert grown.tolist() == [[9, 32], [9, 8], [21, 8], [21, 32]]


def test_iou_of_boxes_by_hand() -> None:
    others = np.array([[5, 0, 10, 10], [20, 20, 5, 5], [0, 0, 0, 0]])
    iou = geometry.boxes_iou(np.array([[0, 0, 10, 10]]), others)
    np.testing.assert_allclose(iou, [[50 / 150, 0, 0]])
    assert geometry.boxes_iou(np.zeros((0, 4)), np.zeros((2, 4))).shape == (0, 2)


def test_iou_of_quads_by_hand() -> None:
    square = quad_from_box((0, 0, 2, 2))
    diamond = np.array([[0, 1], [1, 0], [2, 1], [1, 2]], np.float32)
    assert geometry.quad_iou(square, diamond) == pytest.approx(0.5)
    assert geometry.quad_iou(square, quad_from_box((5, 5, 1, 1))) == 0
    assert geometry.quad_iou(square, np.zeros((4, 2), np.float32)) == 0
