from __future__ import annotations

import pytest

from training.metrics import fold, score_readings


def test_rates_are_edits_over_reference_lengths() -> None:
    score = score_readings([("abcd", "abcd"), ("ab xd", "ab cd"), ("", "ef")])
    assert (score.n, score.characters) == (3, 11)
    assert score.cer == pytest.approx(3 / 11)
    assert score.wer == pytest.approx(2 / 4)
    assert score.exact == pytest.approx(1 / 3)


def test_a_reading_longer_than_its_reference_exceeds_one() -> None:
    assert score_readings([("abcdef", "x")]).cer == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Ещё\tОДИН\n раз ", "еще один раз"),
        ("«ёлки» – “x” — ‘y’", '"елки" - "x" - \'y\''),
        ("ﬁn\u00ad\u00a0№", "fin no"),
        ("5−3", "5-3"),
    ],
)
def test_folding(text: str, expected: str) -> None:
    assert fold(text) == expected


def test_folding_ignores_case_yo_quotes_dashes_and_runs_of_spaces() -> None:
    assert fold("«Ёлка» — 5  шт.") == '"елка" - 5 шт.'
    assert score_readings([("елка", "ЁЛКА")]).exact == 1
    assert score_readings([("елка", "ЁЛКА")], folded=False).exact == 0


def test_without_a_reference_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="no reference"):
        score_readings([("a", "  ")])
