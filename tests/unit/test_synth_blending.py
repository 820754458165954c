"""Hands that nobody recorded: between two writers, rounded by haste, tired at the ends of words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.test_synth_pens import STYLE, tracks_of
from training.synth.blending import blend, evenly
from training.synth.handwriting import write
from training.synth.joining import Chain, rounded
from training.synth.tracks import Track


def track(*points: tuple[float, float]) -> Track:
    return np.array(points, np.float32)


UPRIGHT = (track((0, 0), (0, -1)), track((0, -1), (1, -1)))
LEANING = (track((0.25, 0), (0.25, -1)), track((0.25, -1), (0.75, -1)))


@pytest.mark.parametrize(("share", "width"), [(0.0, 1.0), (0.5, 0.75), (1.0, 0.5), (-0.5, 1.25)])
def test_a_blend_lies_on_the_way_from_one_letter_to_the_other(share: float, width: float) -> None:
    blended = blend(UPRIGHT, LEANING, share)
    assert float(np.ptp(blended[1][:, 0])) == pytest.approx(width, abs=1e-5)
    assert float(np.ptp(blended[0][:, 1])) == pytest.approx(1.0)


def test_where_the_other_letter_stands_does_not_move_ours() -> None:
    far = tuple(each + np.array([30, 0], np.float32) for each in LEANING)
    for near, moved in zip(blend(UPRIGHT, LEANING, 0.5), blend(UPRIGHT, far, 0.5), strict=True):
        np.testing.assert_allclose(near, moved, atol=1e-5)


@pytest.mark.parametrize(
    "other",
    [UPRIGHT[:1], (UPRIGHT[0][::-1], UPRIGHT[1][::-1])],
    ids=["another number of tracks", "written the other way round"],
)
def test_letters_made_otherwise_do_not_blend(other: tuple[Track, ...]) -> None:
    assert blend(UPRIGHT, other, 0.5) is UPRIGHT


def test_points_lie_evenly_along_the_way() -> None:
    even = evenly(track((0, 0), (3, 0), (3, 1)), 5)
    np.testing.assert_allclose(even, [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1)], atol=1e-6)


def test_haste_rounds_corners_and_keeps_ends() -> None:
    corner = track((0, 0), (1, 0), (1, 1))
    quick = rounded(corner, 0.15)
    np.testing.assert_allclose(quick[[0, -1]], corner[[0, -1]], atol=1e-5)
    assert 0.05 < np.hypot(*(quick - corner[1]).T).min() < 0.3
    assert rounded(corner, 0.0) is corner
    assert rounded(track((0, 0), (0.1, 0)), 0.15).shape == (2, 2)  # A dot stays a dot.


def test_joined_letters_are_one_track_until_the_pen_is_lifted() -> None:
    chain = Chain()
    for start, joined in ((0.0, True), (1.5, True), (3.0, False)):
        chain.add((track((start, -1), (start, 0), (start + 1, 0)),), joined)
    assert [len(each) for each in chain.tracks] == [3 + 6 + 3, 3]
    chain.lift()
    chain.add((track((4.5, -1), (4.5, 0)),), True)
    assert len(chain.tracks) == 3


def test_the_pen_goes_on_from_the_body_when_a_mark_came_last() -> None:
    chain = Chain()
    chain.add((track((0, -1), (0, 0), (1, 0)), track((0.2, -1.6), (0.8, -1.6))), False)
    chain.add((track((1.5, -1), (1.5, 0)),), True)
    assert [len(each) for each in chain.tracks] == [3 + 6 + 2, 2]


def test_words_fade_to_their_ends_and_begin_anew(tmp_path: Path) -> None:
    tracks = tracks_of(tmp_path)
    ink = write("ааааааа а", tracks, replace(STYLE, joined=0.0, fade=0.5), np.random.default_rng(0))
    heights = ink.char_boxes[:, 3] - ink.char_boxes[:, 1]
    assert heights[6] / heights[0] == pytest.approx(0.7, abs=0.2)
    assert heights[6] < heights[0] and heights[8] > heights[6]
