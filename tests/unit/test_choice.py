"""Which of several looks' texts a line reads as, and where that text stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deployments.recognition.beam import Priors, Search, find_text
from deployments.recognition.charlm import CharModel, CharPrior
from deployments.recognition.charset import BLANK, Charset
from deployments.recognition.choice import choose_text, fit
from deployments.recognition.decode import LinePosteriors, read_characters
from deployments.recognition.likelihood import log_likelihood
from deployments.recognition.second_look import mean_posteriors

CHARSET = Charset("ab c")
EVEN = np.full(4, np.log(0.25), np.float32)
MODEL = CharModel("ab c", 2, np.arange(1, 5, dtype=np.uint64), EVEN, np.zeros(4, np.float32))
PRIORS = Priors(CharPrior(MODEL, CHARSET))
SEARCH = Search(8, 0.0, 0.0, 0.0, 0.0)


def seen(text: str, doubt: float, second: str, steps_each: int = 2) -> LinePosteriors:
    """A look at a text: a letter and blanks in turn; the last letter may as well be another."""
    rows = np.full((steps_each * len(text), len(CHARSET)), 0.001)
    for number, letter in enumerate(text):
        rows[steps_each * number : steps_each * (number + 1), BLANK] = 0.996
        rows[steps_each * number] = 0.001
        rows[steps_each * number, CHARSET.index(letter)] = 0.996
    last = rows[-steps_each]
    last[CHARSET.index(text[-1])], last[CHARSET.index(second)] = 0.996 - doubt, doubt + 0.001
    return LinePosteriors(rows.astype(np.float32), float(len(rows)))


def line(*looks: LinePosteriors) -> LinePosteriors:
    return replace(looks[0], steps=mean_posteriors([looks[0].steps, looks[1].steps]), looks=looks)


def chosen(seen_line: LinePosteriors) -> tuple[str, LinePosteriors]:
    found, source = choose_text(seen_line, PRIORS, SEARCH)
    return CHARSET.decode(found.symbols), source


def test_a_sure_look_outweighs_two_that_doubt() -> None:
    doubting, wide = seen("abc", 0.55, "b"), seen("abc", 0.01, "b", 3)
    seen_line = line(doubting, doubting, wide)
    assert CHARSET.decode(find_text(seen_line.steps, PRIORS, SEARCH).symbols) == "abb"
    text, source = chosen(seen_line)
    assert text == "abc" and source is wide


def test_two_sure_looks_outweigh_one_that_doubts() -> None:
    sure = seen("abc", 0.02, "b")
    seen_line = line(sure, sure, seen("abc", 0.6, "b", 3))
    text, source = chosen(seen_line)
    assert text == "abc" and source is seen_line


def test_what_all_looks_read_is_read_from_their_mean() -> None:
    look = seen("abc", 0.2, "b")
    seen_line = line(look, look, seen("abc", 0.1, "b", 3))
    assert chosen(seen_line)[1] is seen_line
    assert chosen(replace(look, looks=()))[1].steps is look.steps


def test_a_text_fits_as_well_as_the_looks_say_on_average_and_the_models_add() -> None:
    looks = seen("abc", 0.2, "b"), seen("abc", 0.4, "b")
    found = find_text(looks[0].steps, PRIORS, Search(8, 0.5, 0.7))
    assert found.prior == pytest.approx(3 * (0.5 * np.log(0.25) + 0.7), rel=1e-5)
    symbols = np.array(found.symbols, np.int32)
    mean = (log_likelihood(looks[0].steps, symbols) + log_likelihood(looks[1].steps, symbols)) / 2
    assert fit(found, looks) == pytest.approx(mean + found.prior)


def test_spans_are_shares_of_the_crop_whichever_look_the_text_is_of() -> None:
    doubting, wide = seen("abcabc", 0.55, "b", 2), seen("abcabc", 0.01, "b", 3)
    seen_line = line(doubting, doubting, wide)
    spans = {}
    for name, each in (("line", seen_line), ("look", replace(doubting, looks=()))):
        found, source = choose_text(each, PRIORS, SEARCH)
        assert source is (wide if name == "line" else each)
        read = read_characters(found.characters, source.steps, CHARSET, content_steps=source.content_steps)
        assert read.char_confidences[-1] > 0.9 if name == "line" else read.char_confidences[-1] < 0.6
        spans[name] = read.char_spans
    np.testing.assert_allclose(spans["line"], spans["look"], atol=0.02)
