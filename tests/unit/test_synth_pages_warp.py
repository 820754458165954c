"""Pixels and points take the same way into the picture."""

from __future__ import annotations

import numpy as np
import pytest

from training.synth.warp import Pose, make_warp, sample_pose

_FLAT = Pose(0.0, (0.0, 0.0, 0.0, 0.0), None, 0.0, 0.0)
_POSES = {
    "flat": _FLAT,
    "margins": Pose(0.0, (0.1, 0.05, 0.02, 0.08), None, 0.0, 0.0),
    "skewed": Pose(6.0, (0.05, 0.05, 0.05, 0.05), None, 0.0, 0.0),
    "condensed": Pose(0.0, (0.0, 0.0, 0.0, 0.0), None, 0.0, 0.0, aspect=0.7),
    "perspective": Pose(2.0, (0.1,) * 4, ((0.03, 0.02), (-0.04, 0.0), (0.01, -0.03), (0.02, 0.05)), 0.0, 0.0),
    "curled": Pose(-3.0, (0.05,) * 4, None, 0.015, 1.0),
    "rippled": Pose(1.0, (0.05,) * 4, None, 0.004, 2.0, ripple=0.003),
}


@pytest.mark.parametrize("name", sorted(_POSES))
def test_a_dot_lands_where_its_point_lands(name: str) -> None:
    warp = make_warp(_POSES[name], 400, 560)
    dots = np.array([[80, 100], [300, 120], [200, 280], [90, 450], [310, 470]], np.float32)
    for x, y in dots:
        sheet = np.zeros((560, 400, 3), np.uint8)
        sheet[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = 255
        picture = warp.image(sheet, (0, 0, 0))
        assert picture.shape == (warp.height_px, warp.width_px, 3)
        rows, columns = np.nonzero(picture[..., 0] > 100)
        landed = warp.points(np.array([[x, y]], np.float32))[0]
        assert (columns.mean(), rows.mean()) == pytest.approx(tuple(landed), abs=1.5)


def test_a_positive_skew_makes_lines_rise() -> None:
    left, right = make_warp(_POSES["skewed"], 400, 560).points(np.array([[50, 200], [350, 200]], np.float32))
    assert right[1] < left[1]
    assert np.degrees(np.arctan2(left[1] - right[1], right[0] - left[0])) == pytest.approx(6.0, abs=0.01)


def test_the_background_shows_around_the_sheet() -> None:
    warp = make_warp(_POSES["margins"], 400, 560)
    white = np.full((560, 400, 3), 255, np.uint8)
    picture = warp.image(white, (40, 50, 60))
    assert picture[2, 2].tolist() == [40, 50, 60]
    assert picture[280, 200].tolist() == [255, 255, 255]
    desk = np.full((warp.height_px, warp.width_px, 3), 90, np.uint8)
    assert warp.image(white, desk)[2, 2].tolist() == [90, 90, 90]


def test_no_points_stay_no_points() -> None:
    assert make_warp(_FLAT, 100, 100).points(np.zeros((0, 4, 2), np.float32)).shape == (0, 4, 2)


def test_scans_are_nearly_straight_and_photographs_are_not_flat() -> None:
    rng = np.random.default_rng(0)
    scans = [sample_pose(rng, photographed=False) for _ in range(400)]
    photographs = [sample_pose(rng, photographed=True) for _ in range(100)]
    assert np.mean([abs(pose.skew_deg) <= 4 for pose in scans]) > 0.9
    assert max(abs(pose.skew_deg) for pose in scans + photographs) <= 12
    assert all(pose.corner_shift is None for pose in scans)
    assert all(pose.corner_shift is not None for pose in photographs)


def test_condensed_sheets_are_narrowed() -> None:
    rng = np.random.default_rng(0)
    assert all(0.65 <= sample_pose(rng, False, condensed=1.0).aspect <= 1.0 for _ in range(50))
