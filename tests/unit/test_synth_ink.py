"""Setting text letter by letter, with a face that every test machine can draw: built here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.faces import Outline, write_font
from training.synth.fonts import FontFace
from training.synth.ink import InkStyle, change_weight, join, render_text


def _block(width: int, height: int, bottom: int = 0) -> Outline:
    low, high = bottom, bottom + height
    return ((100, low), (100, high), (100 + width, high), (100 + width, low))


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> FontFace:
    """1000 units to the em: "a" is a 400x500 block, "p" hangs 200 below, the space is 500 wide."""
    outlines = {" ": (), "a": _block(400, 500), "p": _block(400, 700, -200)}
    path = write_font(
        tmp_path_factory.mktemp("fonts") / "blocks.ttf", outlines, {" ": 500, "a": 600, "p": 600}
    )
    return FontFace(path, "blocks", "printed", frozenset({"latin"}), "public-domain", frozenset("ap "))


def test_boxes_hold_the_ink_of_their_letters(face: FontFace) -> None:
    ink = render_text("a p", face, 100)
    first, space, last = ink.char_boxes
    np.testing.assert_allclose(first, [10, ink.baseline_y - 50, 50, ink.baseline_y], atol=1)
    np.testing.assert_allclose(last, [120, ink.baseline_y - 50, 160, ink.baseline_y + 20], atol=1)
    assert space[2] - space[0] == pytest.approx(50) and space[1] == space[3]
    assert ink.mask[:, 60:115].max() == 0
    inside = ink.mask[int(first[1]) : int(first[3]), int(first[0]) : int(first[2])]
    assert inside.mean() > 250


def test_spacing_moves_later_letters(face: FontFace) -> None:
    plain = render_text("aa a", face, 100)
    spaced = render_text("aa a", face, 100, InkStyle(letter_spacing_px=10, word_spacing_px=7))
    np.testing.assert_allclose((spaced.char_boxes - plain.char_boxes)[:, 0], [0, 10, 20, 37])


def test_jitter_moves_and_pales_one_letter(face: FontFace) -> None:
    jitter = np.array([[0, 0, 0, 1, 1], [3, -4, 0, 1, 0.5]], np.float32)
    plain, moved = render_text("aa", face, 100), render_text("aa", face, 100, InkStyle(jitter=jitter))
    np.testing.assert_allclose((moved.char_boxes - plain.char_boxes)[1, :2], [3, -4], atol=1)
    middle = int(moved.char_boxes[1, 0]) + 20
    assert moved.mask[int(moved.baseline_y) - 20, middle] == 127


def test_slant_leans_to_the_right_about_the_baseline(face: FontFace) -> None:
    upright, leaned = render_text("a", face, 100), render_text("a", face, 100, InkStyle(slant_deg=20))
    top, foot = int(upright.baseline_y) - 48, int(upright.baseline_y) - 2

    def left(mask: npt.NDArray[np.uint8], row: int) -> int:
        return int(np.flatnonzero(mask[row] > 128)[0])

    assert left(upright.mask, top) == left(upright.mask, foot)
    lean_px = left(leaned.mask, top) - left(leaned.mask, foot)
    assert lean_px == pytest.approx(46 * np.tan(np.radians(20)), abs=1.5)


@pytest.mark.parametrize(("weight_px", "change"), [(2, 2), (-2, -2), (4, 4)])
def test_weight_widens_strokes_by_as_many_pixels(face: FontFace, weight_px: float, change: int) -> None:
    mask = np.pad(render_text("a", face, 100).mask, 10)
    row = int(mask.shape[0] * 0.6)
    before = int((mask[row] > 128).sum())
    assert int((change_weight(mask, weight_px)[row] > 128).sum()) == before + change


def test_join_puts_parts_on_one_baseline(face: FontFace) -> None:
    joined = join([render_text("a", face, 100), render_text("a", face, 50)], [0.0, 30.0])
    bottoms = joined.char_boxes[:, 3]
    assert joined.text == "aa"
    assert bottoms[0] - bottoms[1] == pytest.approx(30, abs=1)
    assert joined.char_boxes[1, 0] > joined.char_boxes[0, 2]


@pytest.mark.parametrize(("text", "message"), [("", "no text"), ("ab", "does not draw \\['b'\\]")])
def test_text_that_cannot_be_set_is_refused(face: FontFace, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_text(text, face, 40)


def test_jitter_of_another_length_is_refused(face: FontFace) -> None:
    with pytest.raises(ValueError, match="jitter has shape"):
        render_text("aa", face, 40, InkStyle(jitter=np.ones((3, 5), np.float32)))


def test_missing_catalogue_names_the_command(tmp_path: Path) -> None:
    from training.synth.fonts import catalogue

    with pytest.raises(FileNotFoundError, match=r"training\.synth fonts"):
        catalogue(tmp_path)
