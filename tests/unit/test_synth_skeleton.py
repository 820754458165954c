"""Shapes thinned to tracks, and script faces that write with them."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.faces import write_font
from training.synth.alphabet import LATIN
from training.synth.corpora import Language
from training.synth.face_tracks import face_tracks
from training.synth.fonts import FontFace
from training.synth.handwriting import PenStyle, write
from training.synth.pens import Pens
from training.synth.skeleton import thin, trace
from training.synth.tracks import TrackSet

FIGURES = frozenset("0123456789")


def drawn(*lines: tuple[tuple[int, int], tuple[int, int]], thick: int = 9) -> np.ndarray:
    canvas = np.zeros((120, 120), np.uint8)
    for start, end in lines:
        cv2.line(canvas, start, end, 1, thick)
    return canvas > 0


def ends(tracks: list[np.ndarray]) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    return [(tuple(track[0].tolist()), tuple(track[-1].tolist())) for track in tracks]


def near(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return bool(np.hypot(*np.subtract(found, wanted)) < 8)


def test_a_thick_stroke_becomes_a_thin_one_along_its_middle() -> None:
    skeleton = thin(drawn(((20, 60), (100, 60))))
    rows, columns = np.nonzero(skeleton)
    assert set(rows.tolist()) <= {59, 60, 61}
    assert len(columns) == len(set(columns.tolist())) > 75


def test_thinning_keeps_together_what_is_together_and_holes_open() -> None:
    shape = drawn(((20, 20), (100, 20)), ((100, 20), (60, 90)), ((60, 90), (20, 20)), ((10, 110), (30, 110)))
    pieces, _ = cv2.connectedComponents(shape.astype(np.uint8), connectivity=8)
    thinned, _ = cv2.connectedComponents(thin(shape).astype(np.uint8), connectivity=8)
    grounds, _ = cv2.connectedComponents((~thin(shape)).astype(np.uint8), connectivity=4)
    assert pieces == thinned == 3
    assert grounds == 3  # What is lit counts as one more than the ground inside and outside.


@pytest.mark.parametrize(
    ("start", "end", "begun"),
    [((20, 60), (100, 60), (20, 60)), ((60, 100), (60, 20), (60, 20)), ((70, 20), (45, 100), (70, 20))],
    ids=["rightwards", "downwards", "more down than left"],
)
def test_a_track_begins_where_a_pen_would(
    start: tuple[int, int], end: tuple[int, int], begun: tuple[int, int]
) -> None:
    (track,) = trace(thin(drawn((start, end))), spur_px=10)
    assert near(tuple(track[0].tolist()), begun)


def test_a_pen_goes_straight_on_through_a_crossing() -> None:
    tracks = trace(thin(drawn(((20, 20), (100, 100)), ((20, 100), (100, 20)))), spur_px=10)
    assert len(tracks) == 2
    for first, last in ends(tracks):
        assert abs(first[0] - last[0]) > 65 and abs(first[1] - last[1]) > 65


def test_branches_that_thinning_leaves_are_dropped_and_true_ones_kept() -> None:
    shape = drawn(((20, 60), (100, 60)), ((60, 60), (60, 66)), ((80, 60), (80, 100)))
    assert len(trace(thin(shape), spur_px=12)) == 2
    assert len(trace(thin(drawn(((60, 60), (60, 64)))), spur_px=30)) == 1


def test_a_ring_is_one_closed_track() -> None:
    canvas = np.zeros((120, 120), np.uint8)
    cv2.circle(canvas, (60, 60), 40, 1, 7)
    (track,) = trace(thin(canvas > 0), spur_px=10)
    assert np.hypot(*(track[0] - track[-1])) < 2
    assert np.hypot(*(track - 60).T) == pytest.approx(np.full(len(track), 40), abs=2)


def test_no_point_of_a_skeleton_is_lost() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = rng.integers(10, 110, (6, 2)).tolist()
        skeleton = thin(drawn(*pairwise(corners), thick=5))
        walked = {(int(y), int(x)) for track in trace(skeleton, spur_px=0) for x, y in track}
        assert walked == {(int(y), int(x)) for y, x in np.argwhere(skeleton)}


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> FontFace:
    """Latin letters and figures, each an angle 500 high and 400 wide on the baseline."""
    angle = ((50, 0), (50, 500), (130, 500), (130, 80), (450, 80), (450, 0))
    folder = tmp_path_factory.mktemp("fonts")
    path = write_font(folder / "angles.ttf", dict.fromkeys(sorted(LATIN | FIGURES), angle), 500)
    return FontFace(path, "angles", "handwritten", frozenset({"latin"}), "public-domain", LATIN | FIGURES)


def test_the_letters_of_a_face_stand_on_its_baseline_with_its_x_height(face: FontFace) -> None:
    tracks = face_tracks([face], "latin")
    assert tracks is not None and tracks.characters >= LATIN
    ((angle,),) = (tracks.letters[0]["q"][0],)
    # The middle of strokes of 80: from 40 over the baseline, as shares of 500.
    assert angle[0].tolist() == pytest.approx([0.08, -0.96], abs=0.06)
    assert angle[-1].tolist() == pytest.approx([0.78, -0.08], abs=0.1)
    assert len(angle) < 12


def test_a_face_writes(face: FontFace) -> None:
    tracks = face_tracks([face], "latin")
    assert tracks is not None
    ink = write("Sum 12", tracks, PenStyle(0, 20, 2), np.random.default_rng(0))
    assert ink.mask.max() == 255 and len(ink.char_boxes) == 6
    with pytest.raises(KeyError):
        tracks.letters[0]["ж"]


def test_a_face_without_the_whole_alphabet_is_no_writer(face: FontFace) -> None:
    some = FontFace(face.path, "some", "handwritten", frozenset({"latin"}), "", LATIN - {"q"})
    assert face_tracks([some], "latin") is None
    assert face_tracks([face], "cyrillic") is None


def test_recorded_writers_write_half_of_what_is_russian(face: FontFace) -> None:
    recorded = TrackSet({0: {}})
    pens, rng = Pens([face], recorded), np.random.default_rng(0)

    def share(language: Language, wanted: object) -> float:
        drawn = [pens.draw(rng, language) for _ in range(1000)]
        return sum((each is recorded) if wanted == "recorded" else (each is None) for each in drawn) / 1000

    assert share("ru", "recorded") == pytest.approx(0.5, abs=0.05)
    assert share("ru", "face") == pytest.approx(0.5, abs=0.05)  # No Cyrillic face is there to be traced.
    assert share("en", "recorded") == 0
    assert share("en", "face") == pytest.approx(0.5, abs=0.05)
