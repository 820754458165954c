from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from deployments.recognition.charset import BLANK, Charset
from deployments.recognition.consistency import Consistency
from deployments.recognition.decode import read_characters, read_greedily, reading_of

CHARSET = Charset()


def posteriors(*steps: dict[str, float]) -> np.ndarray:
    """(T, V) from the likely symbols of each step; "" is the blank, the rest is spread evenly."""
    rows = np.zeros((len(steps), len(CHARSET)), np.float32)
    for row, step in zip(rows, steps, strict=True):
        row += (1 - sum(step.values())) / len(CHARSET)
        for symbol, probability in step.items():
            row[CHARSET.index(symbol) if symbol else BLANK] += probability
    return rows


def sure(text: str) -> list[dict[str, float]]:
    """One step a character, a blank between, each nearly certain."""
    return [step for symbol in text for step in ({symbol: 0.99}, {"": 0.99})]


def test_repeats_merge_unless_a_blank_parts_them() -> None:
    steps = [{"a": 0.9}, {"a": 0.8}, {"": 0.9}, {"a": 0.9}, {"b": 0.9}, {"b": 0.9}]
    assert read_greedily(posteriors(*steps), CHARSET).text == "aab"


def test_a_character_is_as_sure_as_its_surest_step() -> None:
    reading = read_greedily(posteriors({"a": 0.5}, {"a": 0.8}, {"": 0.9}, {"b": 0.6}), CHARSET)
    assert reading.char_confidences == pytest.approx((0.8, 0.6), abs=0.01)
    assert reading.confidence == pytest.approx((0.8 * 0.6) ** 0.5, abs=0.01)


def test_spaces_within_are_kept_once_and_outer_ones_dropped() -> None:
    reading = read_greedily(posteriors(*sure("  ab  c ")), CHARSET)
    assert reading.text == "ab c"
    assert len(reading.char_confidences) == 4


@pytest.mark.parametrize("steps", [[], [{"": 0.9}] * 3, [{" ": 0.9}]])
def test_nothing_to_read_is_an_empty_text_without_confidence(steps: list[dict[str, float]]) -> None:
    rows = posteriors(*steps)
    reading = read_greedily(rows.reshape(len(steps), len(CHARSET)), CHARSET)
    assert (reading.text, reading.confidence) == ("", 0.0)


def test_a_latin_twin_in_a_cyrillic_word_is_rewritten() -> None:
    steps = [*sure("г"), {"o": 0.6, "о": 0.35}, {"": 0.9}, *sure("д")]
    latin_o = read_greedily(posteriors(*steps), CHARSET, consistency=Consistency(script=False)).text
    assert latin_o == "г" + "o" + "д"
    reading = read_greedily(posteriors(*steps), CHARSET)
    assert reading.text == "год"
    # The shape was never in doubt, only its script.
    assert reading.char_confidences[1] == pytest.approx(0.95, abs=0.01)


def test_a_cyrillic_twin_in_a_latin_word_is_rewritten() -> None:
    steps = [*sure("t"), {"о": 0.6, "o": 0.35}, {"": 0.9}, *sure("tal")]
    assert read_greedily(posteriors(*steps), CHARSET).text == "total"


def test_a_word_of_twins_alone_follows_its_larger_sum() -> None:
    # Two letters lean to Cyrillic a little, one to Latin strongly.
    steps = [{"С": 0.55, "C": 0.42}, {"": 0.9}, {"O": 0.97, "О": 0.001}, {"": 0.9}, {"М": 0.55, "M": 0.42}]
    assert read_greedily(posteriors(*steps), CHARSET).text == "COM"


def test_a_truly_mixed_word_keeps_the_letters_without_twins() -> None:
    steps = [*sure("Wи"), {"о": 0.5, "o": 0.45}]
    text = read_greedily(posteriors(*steps), CHARSET).text
    assert text[:2] == "Wи"


def test_hyphens_and_digits_part_words_of_two_scripts() -> None:
    steps = sure("USB-порт COM1 о")
    assert read_greedily(posteriors(*steps), CHARSET).text == "USB-порт COM1 о"


def hand(*letters: tuple[str, float, float]) -> np.ndarray:
    """Letters with the probability of each and of its other case, a blank after each."""
    steps = [[{symbol: own, symbol.swapcase(): other}, {"": 0.9}] for symbol, own, other in letters]
    return posteriors(*(step for pair in steps for step in pair))


def test_capitals_that_only_their_size_tells_follow_their_word() -> None:
    word = hand(("к", 0.9, 0.05), ("П", 0.6, 0.39), ("П", 0.6, 0.39))
    assert read_greedily(word, CHARSET, Consistency(case=False)).text == "кПП"
    word = hand(("к", 0.6, 0.39), ("П", 0.9, 0.05), ("П", 0.9, 0.05))
    reading = read_greedily(word, CHARSET)
    assert reading.text == "КПП"
    # The shape was never in doubt, only its size.
    assert reading.char_confidences[0] == pytest.approx(0.99, abs=0.01)


def test_a_word_in_mixed_case_takes_the_form_that_its_letters_say() -> None:
    assert read_greedily(hand(("М", 0.9, 0.05), ("е", 0.9, 0.0), ("Ш", 0.6, 0.3)), CHARSET).text == "Меш"
    assert read_greedily(hand(("м", 0.9, 0.05), ("е", 0.9, 0.0), ("Ш", 0.6, 0.3)), CHARSET).text == "меш"


def test_a_word_whose_capitals_are_sure_keeps_them() -> None:
    assert read_greedily(posteriors(*sure("McDonald LibreOffice кВт")), CHARSET).text == (
        "McDonald LibreOffice кВт"
    )
    unsure = hand(("к", 0.97, 0.02), ("В", 0.97, 0.015), ("т", 0.97, 0.01))
    assert read_greedily(unsure, CHARSET).text == "кВт"


def test_words_in_one_case_are_left_alone() -> None:
    steps = hand(("О", 0.5, 0.49), ("о", 0.5, 0.49)), hand(("О", 0.5, 0.49), ("О", 0.5, 0.49))
    assert [read_greedily(each, CHARSET).text for each in steps] == ["Оо", "ОО"]


def test_confidences_never_leave_the_unit_interval() -> None:
    reading = reading_of([("a", 1.2), ("b", -0.1)])
    assert reading.char_confidences == (1.0, 0.0)
    assert 0 < reading.confidence < 0.01


def test_characters_stand_where_their_runs_start() -> None:
    steps = [{"": 0.9}, *sure("ab"), {" ": 0.9}, {"": 0.9}, *sure("c"), {"": 0.9}]
    reading = read_greedily(posteriors(*steps), CHARSET, content_steps=10.0)
    assert reading.text == "ab c"
    expected = [(0.1, 0.3), (0.3, 0.45), (0.45, 0.7), (0.7, 0.9)]
    assert np.array(reading.char_spans) == pytest.approx(np.array(expected))


def test_spans_stay_within_the_crop_whatever_the_padding_says() -> None:
    reading = read_greedily(posteriors(*sure("abc")), CHARSET, content_steps=4.0)
    edges = [edge for span in reading.char_spans for edge in span]
    assert edges == sorted(edges)
    assert edges[-1] == 1.0


def test_no_span_ends_before_it_begins_where_a_space_is_likeliest_at_its_neighbour() -> None:
    line = posteriors({"": 0.9}, {"a": 0.5, " ": 0.4}, {"b": 0.9}, {"": 0.9})
    found = [(CHARSET.index(symbol), step) for symbol, step in (("a", 1), (" ", 1), ("b", 2))]
    spans = read_characters(found, line, CHARSET).char_spans
    assert [left <= right for left, right in spans] == [True] * 3
    assert [b[0] - a[1] for a, b in pairwise(spans)] == [0.0, 0.0]


def test_spans_follow_the_characters_that_are_kept() -> None:
    reading = read_greedily(posteriors(*sure("  ab  c ")), CHARSET)
    assert len(reading.char_spans) == len(reading.text) == 4
    assert reading.char_spans[0][0] == pytest.approx(4 / 16)


def test_a_single_character_has_a_usual_width_and_an_empty_line_no_span() -> None:
    reading = read_greedily(posteriors({"": 0.9}, *sure("a"), *[{"": 0.9}] * 7), CHARSET)
    assert reading.char_spans == (pytest.approx((0.1, 0.4)),)
    assert read_greedily(posteriors({"": 0.9}), CHARSET).char_spans == ()
