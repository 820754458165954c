"""Paper that shows through: where rules lie, that ink stays, and how often it is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from deployments.types import Kind
from training.paper_augment import Sheet, apply, apply_in_colour, exercise_book, sample

PAPER, INK = 240, 20


def written() -> np.ndarray:
    """One thick stroke, 40 px high, on blank paper."""
    line = np.full((40, 200), PAPER, np.uint8)
    line[10:30, 90:100] = INK
    return line


def test_squares_lie_at_their_pitch_and_phase() -> None:
    sheet = Sheet(
        row_pitch=0.5, column_pitch=0.25, row_phase=0.5, column_phase=0.5, thickness=0.025, darkness=0.5
    )
    squared = apply(written(), sheet)
    blank = squared[:, :80].astype(int)
    assert np.flatnonzero(blank[5] < PAPER - 30).tolist() == list(range(0, 80, 10))
    assert np.flatnonzero(blank[:, 5] < PAPER - 30).tolist() == [0, 20]


def test_rules_are_lighter_than_ink_and_leave_it_as_it_is() -> None:
    line = written()
    squared = apply(line, Sheet(row_pitch=0.3, column_pitch=0.3, thickness=0.05, darkness=0.6))
    assert (squared[10:30, 90:100] == INK).all()
    assert squared.min() == INK
    rules = squared[:, :80]
    assert PAPER - 0.61 * (PAPER - INK) <= rules.min() < PAPER - 0.25 * (PAPER - INK)


def test_light_writing_on_a_dark_ground_gets_light_rules() -> None:
    squared = apply(255 - written(), Sheet(row_pitch=0.3, thickness=0.05, darkness=0.5))
    assert squared[:, :80].min() == 255 - PAPER
    assert squared[:, :80].max() > 255 - PAPER + 50


def test_rules_alone_have_no_columns_and_follow_their_tilt() -> None:
    ruled = apply(written(), Sheet(row_pitch=1.0, row_phase=0.0, thickness=0.025, darkness=0.6, tilt_deg=2.0))
    first, last = (int(np.argmin(ruled[:, column])) for column in (0, 80))
    assert first == 20
    # tan 2 degrees over 80 px.
    assert first - last == pytest.approx(2.8, abs=1)


def test_a_weave_has_its_strength_and_no_bias() -> None:
    blank = np.full((200, 800), 128, np.uint8)
    woven = apply(blank, Sheet(weave=12, seed=3)).astype(float) - 128
    assert woven.mean() == pytest.approx(0, abs=1)
    assert woven.std() == pytest.approx(12, rel=0.35)


def test_a_sheet_decides_the_picture() -> None:
    rng = np.random.default_rng(0)
    sheets = [sheet for sheet in (sample(rng, Kind.HANDWRITTEN) for _ in range(40)) if sheet is not None]
    line = written()
    assert len({apply(line, sheet).tobytes() for sheet in sheets}) == len(sheets) > 5
    assert all(np.array_equal(apply(line, sheet), apply(line, sheet)) for sheet in sheets)
    assert np.array_equal(line, written())


def test_handwriting_stands_on_ruled_paper_more_often_than_print() -> None:
    rng = np.random.default_rng(1)
    ruled = Counter(
        kind for kind in Kind for _ in range(2000) if (s := sample(rng, kind)) is not None and s.row_pitch
    )
    assert ruled[Kind.HANDWRITTEN] == pytest.approx(700, abs=90)
    assert ruled[Kind.PRINTED] == pytest.approx(120, abs=45)


def test_colour_is_kept_and_rules_take_their_tint() -> None:
    page = np.dstack([written(), written() // 2, np.full((40, 200), 99, np.uint8)])
    ruled = apply_in_colour(
        page, Sheet(row_pitch=0.5, row_phase=0.5, thickness=0.05, darkness=0.5), (1, 0.5, 0)
    )
    change = page.astype(int) - ruled
    assert change[0, 0, 0] > 30
    assert change[0, 0, 1] == pytest.approx(change[0, 0, 0] / 2, abs=1)
    assert not change[..., 2].any() and not change[5].any()


def test_the_exercise_book_is_the_same_at_every_reading_of_a_line_and_differs_between_lines() -> None:
    books = [exercise_book(number) for number in range(5)]
    assert books == [exercise_book(number) for number in range(5)]
    assert len({apply(written(), book).tobytes() for book in books}) == 5
