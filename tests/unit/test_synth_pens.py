"""Letters from pen tracks: on their baseline, joined where a pen would go on, in the cells of a comb."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.synth.hands import in_cells
from training.synth.handwriting import PenStyle, write
from training.synth.tracks import TrackSet, load_tracks

STYLE = PenStyle(
    writer=0, x_height_px=40, pen_px=2, gap=0.6, joined=1.0, borrowed=0.0, shake=0.0, turn_deg=0.0,
    wander=0.0, polygonal=0.0, smoothing=0,
)  # fmt: skip
HOOK = [[0, 0], [0, 30], [20, 30]]
BREVE = [[4, -14], [16, -14]]


def tracks_of(folder: Path, **drawn: list[list[list[int]]]) -> TrackSet:
    """One writer, whose letters are hooks that end at the right foot, but for those given."""
    rows = []
    for character in "адеиоснмйкпгтхчьыэюБАВКМНОПРСДУд":
        rows.append({"writer": 0, "session": 1, "char": character, "strokes": drawn.get(character, [HOOK])})
    text = "\n".join(json.dumps(row) for row in rows)
    (folder / "strokes.jsonl").write_text(text, encoding="utf-8")
    load_tracks.cache_clear()
    return load_tracks(folder)


def between(tracks: TrackSet, text: str, style: PenStyle = STYLE) -> np.ndarray:
    """Ink in the gap between the first two letters."""
    ink = write(text, tracks, style, np.random.default_rng(0))
    left, right = int(ink.char_boxes[0, 2]) + 4, int(ink.char_boxes[1, 0]) - 4
    assert right - left > 5
    return ink.mask[:, left:right]


def test_letters_are_joined_from_their_feet(tmp_path: Path) -> None:
    tracks = tracks_of(tmp_path)
    assert between(tracks, "аа").max() > 128
    assert between(tracks, "аа", replace(STYLE, joined=0.0)).max() == 0


def test_a_mark_above_is_not_where_the_pen_goes_on(tmp_path: Path) -> None:
    """й is written with its breve last; the joint still leaves from the foot, as that of и does."""
    tracks = tracks_of(tmp_path, й=[HOOK, BREVE])
    with_breve, without = between(tracks, "йа"), between(tracks, "иа")
    height = 40
    assert with_breve[: -2 * height].max(initial=0) == 0
    assert np.flatnonzero(with_breve.max(axis=1)).size == pytest.approx(
        np.flatnonzero(without.max(axis=1)).size, abs=4
    )


def test_no_joint_goes_back(tmp_path: Path) -> None:
    """The pen ends at the top of one letter and begins the next with a stroke from over the first."""
    first, second = [[0, 30], [20, 30], [20, 0]], [[-30, -8], [0, 0], [0, 30]]
    tracks = tracks_of(tmp_path, а=[first], и=[second])
    style = replace(STYLE, gap=0.0)
    joined, apart = (
        write("аи", tracks, replace(style, joined=share), np.random.default_rng(0)) for share in (1.0, 0.0)
    )
    np.testing.assert_array_equal(joined.mask, apart.mask)


def test_hanging_letters_stand_on_the_line_with_their_bodies(tmp_path: Path) -> None:
    """Д hangs below by what it is taller than other capitals, д and у by what is below an x."""
    low, tall = [[[0, 0], [10, 45]]], [[[0, 0], [10, 60]]]
    tracks = tracks_of(tmp_path, Д=low, у=tall, А=[[[0, 0], [10, 30]]])
    bottoms = {char: np.concatenate(tracks.letters[0][char][0])[:, 1].max() for char in "ДАи"}
    assert bottoms["А"] == bottoms["и"] == 0
    assert bottoms["Д"] == pytest.approx(0.5)


def test_in_cells_every_character_has_the_same_width(tmp_path: Path) -> None:
    tracks = tracks_of(tmp_path, о=[[[0, 30], [0, 0]]])
    style = in_cells(np.random.default_rng(3), STYLE)
    assert style.joined == 0 and style.cell >= 1.4
    ink = write("ао аоа", tracks, style, np.random.default_rng(0))
    written = np.delete(ink.char_boxes, 2, axis=0)
    middles = (written[:, 0] + written[:, 2]) / 2 / STYLE.x_height_px
    cells = (middles - middles[0]) / style.cell
    np.testing.assert_allclose(cells, [0, 1, 3, 4, 5], atol=0.35)
