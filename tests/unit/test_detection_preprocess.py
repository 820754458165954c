from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from deployments import geometry
from deployments.detection.preprocess import A4_ASPECT, PAD_LEVEL, InputSpec, fit_page, page_quad
from deployments.detection.skew import Pose
from deployments.errors import StageFailed

SPEC = InputSpec(long_side_px=1280, squeeze=0.5, multiple_px=32)


def test_a_large_page_is_reduced_squeezed_and_padded() -> None:
    fitted = fit_page(np.full((2000, 1400, 3), 250, np.uint8), SPEC)
    # 2000 -> 1280; 1400 * 0.64 * 0.5 = 448: both multiples of 32.
    assert fitted.pixels.shape == (1280, 448, 3)
    assert (fitted.pixels == 250).all()
    assert fitted.page_size_px == (1400, 2000)


def test_a_small_page_is_not_enlarged() -> None:
    fitted = fit_page(np.full((100, 100, 3), 250, np.uint8), SPEC)
    assert fitted.pixels.shape == (128, 64, 3)
    assert (fitted.pixels[:100, :50] == 250).all()
    assert (fitted.pixels[100:] == PAD_LEVEL).all() and (fitted.pixels[:, 50:] == PAD_LEVEL).all()


def test_boxes_map_back_to_the_page() -> None:
    fitted = fit_page(np.zeros((2560, 1024, 3), np.uint8), SPEC)  # scale 1/2, then half the width
    quad = page_quad(np.array([25, 100, 50, 120], np.float32), fitted)
    np.testing.assert_allclose(quad, geometry.quad_from_box((100, 200, 100, 40)), atol=1e-3)


@pytest.mark.parametrize("skew_deg", [-12.0, -0.7, 3.0, 12.0])
def test_a_mark_on_a_skewed_page_is_found_again(skew_deg: float) -> None:
    """Draw a straight bar, turn the page, straighten it: the bar is upright and maps back."""
    straight = np.full((1600, 1200, 3), 255, np.uint8)
    straight[700:740, 300:900] = 0
    bar = geometry.quad_from_box((300, 700, 600, 40))
    affine, size = geometry.rotation(skew_deg, 1200, 1600)
    page = geometry.warp(straight, affine, size, fill=255)
    fitted = fit_page(page, SPEC, Pose(skew_deg=skew_deg))
    rows, columns = np.nonzero(fitted.pixels[..., 0] < 60)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    quad = page_quad(box, fitted)
    expected = geometry.transform_points(bar, affine)
    assert np.abs(quad - expected).max() < 4
    assert geometry.quad_iou(quad, expected) > 0.9


@pytest.mark.parametrize("pose", [Pose(0, 0.0, 0.12), Pose(0, -6.0, -0.08), Pose(1, 4.0, 0.1)])
def test_lines_of_a_photographed_page_come_out_level_and_map_back(pose: Pose) -> None:
    """Bars that follow the pose, at three heights: each is level in the input, and its quad is itself."""
    page = np.full((1600, 1200, 3), 255, np.uint8)
    height, width = (1600, 1200) if pose.quarter_turns == 0 else (1200, 1600)
    lay, _ = geometry.rotation(-90.0 * pose.quarter_turns, width, height)
    for low in (-0.3, 0.0, 0.3):
        # The pose's slopes hold along the levelled page: heights are measured on its skewed middle line.
        slope = np.tan(np.deg2rad(pose.skew_deg)) + pose.keystone * low * height / 1600
        middle = np.array([width / 2, height / 2 + low * height])
        run = np.array([1.0, -slope]) * 0.3 * width
        bar = np.stack([middle - run, middle + run]).astype(np.float32)
        ends = geometry.transform_points(bar, lay)
        drawn = page.copy()
        cv2.line(drawn, *(tuple(round(float(v)) for v in end) for end in ends), (0, 0, 0), 12)
        fitted = fit_page(drawn, SPEC, pose)
        rows, columns = np.nonzero(fitted.pixels[..., 0] < 60)
        assert np.ptp(rows) < 16
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        quad = page_quad(box, fitted)
        assert np.abs((quad[0] + quad[3]) / 2 - ends[0]).max() < 12
        assert np.abs((quad[1] + quad[2]) / 2 - ends[1]).max() < 12


def test_the_scale_of_a_squeezed_page_is_known() -> None:
    along, across = fit_page(np.zeros((2560, 1024, 3), np.uint8), SPEC).page_px
    assert (along, across) == pytest.approx((4.0, 2.0), rel=1e-3)


@pytest.mark.parametrize(
    ("height_px", "width_px", "squeeze"),
    [(2000, 1600, 0.5), (1414, 1000, 0.5), (2000, 1131, 0.625), (2000, 900, 0.7), (2000, 100, 0.7)],
)
def test_a_page_narrower_than_a4_is_squeezed_less(height_px: int, width_px: int, squeeze: float) -> None:
    """1131 px are four fifths of A4's width at that height: as wide at the network as A4 at 0.5."""
    spec = InputSpec(long_side_px=1280, squeeze=0.5, narrow_squeeze=0.7)
    assert spec.squeeze_of(height_px, width_px) == pytest.approx(squeeze, rel=2e-3)
    fitted = fit_page(np.zeros((height_px, width_px, 3), np.uint8), spec, Pose(skew_deg=0.5))
    assert fitted.squeeze == pytest.approx(squeeze, rel=2e-2)
    assert InputSpec(squeeze=0.5).squeeze_of(height_px, width_px) == 0.5


@pytest.mark.parametrize(
    ("height_px", "width_px", "long_side_px"),
    [(2828, 2000, 2048), (2000, 2828, 2048), (4000, 2200, 2048), (4000, 1400, 2482), (4000, 400, 3072)],
)
def test_a_page_too_narrow_to_be_squeezed_less_is_longer(
    height_px: int, width_px: int, long_side_px: int
) -> None:
    spec = InputSpec(long_side_px=2048, squeeze=0.4, narrow_squeeze=0.55, narrow_long_side_px=3072)
    pixels = fit_page(np.zeros((height_px, width_px, 3), np.uint8), spec).pixels
    height, width = pixels.shape[:2]
    assert max(height, width / 0.4) == pytest.approx(long_side_px, abs=80)
    # Sides are rounded up to whole multiples of 32.
    assert (height - 32) * (width - 32) <= 2048**2 * 0.4 / A4_ASPECT
    assert replace(spec, narrow_long_side_px=0).long_side_of(height_px, width_px) == 2048


def test_a_small_page_is_enlarged_until_its_letters_are_as_high_as_the_weight_wants() -> None:
    spec = InputSpec(long_side_px=1280, squeeze=0.5, max_upscale=2.5, letter_px=14.0)
    assert spec.scale(400, 300, letter_px=7.0) == 2.0
    assert spec.scale(400, 300, letter_px=20.0) == 1.0  # never reduced for it
    assert spec.scale(400, 300, letter_px=2.0) == 2.5
    assert spec.scale(400, 300) == 2.5  # nobody knows
    assert spec.scale(1000, 300, letter_px=7.0) == 1.28
    assert spec.scale(2560, 300, letter_px=2.0) == 0.5
    page = np.full((400, 300, 3), 235, np.uint8)
    for left in range(20, 280, 12):
        page[100:107, left : left + 5] = 40
    fitted = fit_page(page, spec)
    assert fitted.page_px[1] == pytest.approx(1 / 2, rel=0.02)
    rows, columns = np.nonzero(fitted.pixels[..., 0] < 80)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    assert np.abs(page_quad(box, fitted) - geometry.quad_from_box((20, 100, 257, 7))).max() < 3


def test_a_mark_on_a_narrow_page_is_found_again() -> None:
    spec = InputSpec(long_side_px=1280, squeeze=0.5, narrow_squeeze=0.7)
    page = np.full((1600, 600, 3), 255, np.uint8)
    page[700:740, 100:400] = 0
    fitted = fit_page(page, spec)
    rows, columns = np.nonzero(fitted.pixels[..., 0] < 60)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    assert np.abs(page_quad(box, fitted) - geometry.quad_from_box((100, 700, 300, 40))).max() < 3
    assert columns.max() - columns.min() > 0.6 * 0.8 * 300


def test_a_line_on_a_page_on_its_side_is_found_as_it_reads() -> None:
    """Text that runs down the page: its quad begins at its own top left, the page's top right."""
    page = np.full((1200, 1600, 3), 255, np.uint8)
    page[300:900, 860:900] = 0
    fitted = fit_page(page, SPEC, Pose(quarter_turns=1))
    assert fitted.pixels.shape[0] > fitted.pixels.shape[1] and fitted.page_size_px == (1600, 1200)
    rows, columns = np.nonzero(fitted.pixels[..., 0] < 60)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    expected = np.array([[900, 300], [900, 900], [860, 900], [860, 300]], np.float32)
    assert np.abs(page_quad(box, fitted) - expected).max() < 4


def test_quads_stay_on_the_page() -> None:
    fitted = fit_page(np.zeros((90, 90, 3), np.uint8), SPEC)
    quad = page_quad(np.array([-10, -10, 400, 400], np.float32), fitted)
    assert geometry.quad_bounds(quad) == (0, 0, 90, 90)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (5000, 30)])
def test_extreme_shapes_fit(shape: tuple[int, int]) -> None:
    height, width, _ = fit_page(np.zeros((*shape, 3), np.uint8), SPEC).pixels.shape
    assert height % 32 == 0 and width % 32 == 0 and max(height, width) <= 1280


@pytest.mark.parametrize(
    "page", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32)]
)
def test_what_is_no_page_is_refused(page: np.ndarray) -> None:
    with pytest.raises(StageFailed, match="a page is"):
        fit_page(page, SPEC)


def test_metadata_is_checked() -> None:
    assert InputSpec.from_metadata({"long_side_px": 960}).long_side_px == 960
    with pytest.raises(ValueError, match="input"):
        InputSpec.from_metadata({"long_side": 960})
    with pytest.raises(ValueError, match="positive"):
        InputSpec.from_metadata({"squeeze": 0})
    with pytest.raises(ValueError, match="positive"):
        InputSpec.from_metadata({"narrow_squeeze": -0.1})
    with pytest.raises(ValueError, match="positive"):
        InputSpec.from_metadata({"narrow_long_side_px": -1})
    with pytest.raises(ValueError, match="positive"):
        InputSpec.from_metadata({"letter_px": -1})
