from __future__ import annotations

import numpy as np
import pytest

from benchmarks.scoring import (
    Line,
    longest_increasing,
    score_crop,
    score_page,
    summarize,
    total,
    unread_crop,
    unread_page,
    words,
)
from deployments.types import Kind, Points


def box(x: float, y: float, width: float, height: float) -> Points:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def line(text: str, y: float = 0, kind: Kind = Kind.PRINTED) -> Line:
    return Line(box(0, y, 100, 20), text, kind)


def test_quotes_of_every_form_are_one() -> None:
    scores = summarize(score_crop("„слово“", Kind.PRINTED, line("«слово»")))
    assert scores["cer"] == 0


def test_words_are_counted_without_order_or_punctuation() -> None:
    assert words("Да, да! Нет_да 5") == {"да": 2, "нет_да": 1, "5": 1}


def test_word_scores_of_a_page() -> None:
    counts = score_page([line("one two two extra")], [line("one two three")], by_quad=False)
    scores = summarize(counts)
    assert scores["word_precision"] == pytest.approx(2 / 4)
    assert scores["word_recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores["word_f1"] == pytest.approx(2 * 2 / 7, abs=1e-4)


def test_kinds_are_compared_on_matching_lines_only() -> None:
    found = [line("a", 0, Kind.PRINTED), line("b", 50, Kind.PRINTED), line("c", 500, Kind.PRINTED)]
    labelled = [line("a", 0, Kind.PRINTED), line("b", 50, Kind.HANDWRITTEN), line("d", 900, Kind.PRINTED)]
    scores = summarize(score_page(found, labelled, by_quad=False))
    assert scores["kind_accuracy"] == 0.5
    assert scores["line_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores["line_iou"] == 1.0


def test_pages_add_up_by_their_words() -> None:
    good = score_page([line("a b c")], [line("a b c")], by_quad=False)
    bad = unread_page([line("x")])
    scores = summarize(total([good, bad]))
    assert scores["word_f1"] == pytest.approx(2 * 3 / 7, abs=1e-4)
    assert (scores["n"], scores["failed"]) == (2, 1)


def test_the_text_of_a_page_is_compared_in_reading_order() -> None:
    found = [line("cd", 50), line("ab", 0)]
    labelled = [line("ab", 0), line("cd", 50)]
    scores = summarize(score_page(found, labelled, by_quad=False))
    # "cd ab" against "ab cd": four of five characters differ, and one of two lines must move.
    assert scores["page_text_error"] == pytest.approx(4 / 5)
    assert scores["in_order"] == 0.5
    assert summarize(score_page(labelled, labelled, by_quad=False))["page_text_error"] == 0.0


@pytest.mark.parametrize(
    ("order", "expected"), [([], 0), ([3], 1), ([0, 1, 2], 3), ([2, 1, 0], 1), ([0, 4, 1, 2, 3], 4)]
)
def test_lines_that_need_not_move(order: list[int], expected: int) -> None:
    assert longest_increasing(order) == expected


def test_a_failed_page_has_all_of_its_text_wrong() -> None:
    assert summarize(unread_page([line("ab", 0), line("cd", 50)]))["page_text_error"] == 1.0


def test_crops_are_scored_by_characters_and_kind() -> None:
    right = score_crop("Привёт", Kind.HANDWRITTEN, line("привет", kind=Kind.HANDWRITTEN))
    wrong = score_crop("кот", Kind.PRINTED, line("код", kind=Kind.HANDWRITTEN))
    scores = summarize(total([right, wrong]))
    assert scores["cer"] == pytest.approx(1 / 9, abs=1e-4)
    assert scores["kind_accuracy"] == 0.5


def test_a_failed_crop_counts_as_all_wrong() -> None:
    assert summarize(unread_crop(line("абв"))) == {"n": 1, "failed": 1, "cer": 1.0, "kind_accuracy": 0.0}


def test_an_empty_set_has_no_scores() -> None:
    assert summarize(total([])) == {"n": 0, "failed": 0}
