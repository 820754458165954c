"""Words of a letter or two beside found lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from deployments.detection.short_words import short_words

SQUEEZE = 0.5
SURE = np.array([0.2], np.float32)

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


LINE = boxes((10, 20, 60, 40))


def ink_at(*rects: tuple[int, int, int, int]) -> Flags:
    ink = np.zeros((100, 300), np.bool_)
    for left, top, right, bottom in rects:
        ink[top:bottom, left:right] = True
    return ink


def test_a_faint_box_fits_the_ink_beside_a_line() -> None:
    found, scores = short_words(boxes((96, 18, 110, 44)), SURE, LINE, ink_at((100, 22, 105, 38)), SQUEEZE)
    np.testing.assert_allclose(found, [[99, 20, 106, 40]], atol=0.2)
    assert scores.tolist() == SURE.tolist()


def test_a_figure_may_stand_as_far_from_its_label_as_columns_of_receipts_do() -> None:
    """Twelve heights, where the page is squeezed to half; twenty are too far."""
    found, _ = short_words(boxes((154, 18, 166, 44)), SURE, LINE, ink_at((158, 22, 163, 38)), SQUEEZE)
    assert len(found) == 1


def test_pieces_of_one_word_are_one_box() -> None:
    ink = ink_at((100, 22, 103, 38), (105, 22, 108, 38))
    found, _ = short_words(boxes((98, 20, 110, 40)), SURE, LINE, ink, SQUEEZE)
    np.testing.assert_allclose(found, [[99, 20, 109, 40]], atol=0.2)


@pytest.mark.parametrize(
    "ink",
    [
        pytest.param((100, 22, 100, 22), id="no-ink"),
        pytest.param((100, 52, 105, 68), id="another-row"),
        pytest.param((220, 22, 225, 38), id="far-away"),
        pytest.param((100, 27, 105, 33), id="a-speck"),
        pytest.param((100, 5, 105, 55), id="an-upright-rule"),
        pytest.param((80, 28, 140, 30), id="a-level-rule"),
        pytest.param((96, 22, 112, 38), id="a-longer-word"),
    ],
)
def test_what_is_no_short_word_of_the_row_is_left(ink: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = ink
    faint = boxes((left - 2, top - 2, max(right, left + 5) + 2, max(bottom, top + 16) + 2))
    found, scores = short_words(faint, SURE, LINE, ink_at(ink), SQUEEZE)
    assert found.shape == (0, 4) and scores.shape == (0,)


def test_ink_of_a_found_line_is_not_read_twice() -> None:
    found, _ = short_words(boxes((50, 20, 60, 40)), SURE, LINE, ink_at((52, 22, 57, 38)), SQUEEZE)
    assert not len(found)


def test_two_faint_boxes_over_one_word_are_one_with_the_higher_score() -> None:
    faint, scores = boxes((97, 20, 108, 40), (98, 20, 110, 42)), np.array([0.1, 0.2], np.float32)
    found, kept = short_words(faint, scores, LINE, ink_at((100, 22, 105, 38)), SQUEEZE)
    assert len(found) == 1 and kept.tolist() == [scores[1]]


def test_a_page_without_lines_has_no_short_words() -> None:
    found, _ = short_words(boxes((98, 20, 110, 40)), SURE, LINE[:0], ink_at((100, 22, 105, 38)), SQUEEZE)
    assert found.shape == (0, 4)


def test_a_frame_around_a_figure_is_not_the_figure() -> None:
    frame = ink_at((90, 15, 120, 50))
    frame[16:49, 91:119] = False
    found, _ = short_words(boxes((98, 20, 110, 40)), SURE, LINE, frame | ink_at((100, 22, 105, 38)), SQUEEZE)
    np.testing.assert_allclose(found, [[99, 20, 106, 40]], atol=0.2)
