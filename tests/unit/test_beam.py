from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from deployments.recognition import beam
from deployments.recognition.beam import Priors, Search, find_text, is_certain
from deployments.recognition.charlm import CharModel, CharPrior
from deployments.recognition.charset import BLANK, Charset
from deployments.recognition.decode import read_characters, read_greedily
from deployments.recognition.lexicon import Lexicon, WordPrior
from training.lexicon import key_of

CHARSET = Charset("ab c")
NO_PRIOR = Search(beams=64, weight=0.0, bonus=0.0, word_weight=0.0, word_bonus=0.0)


def prior(*words: str, **bigrams: float) -> Priors:
    """A model of "ab c" in which all symbols are as likely, but for the bigrams named; and a lexicon."""
    keys = {i: math.log(0.25) for i in range(1, 5)}
    classes = "ab c"
    for pair, probability in bigrams.items():
        first, second = (classes.index(symbol) + 1 for symbol in pair)
        keys[first << 8 | second] = math.log(probability)
    ordered = sorted(keys)
    model = CharModel(
        classes, 2, np.array(ordered, np.uint64),
        np.array([keys[key] for key in ordered], np.float32), np.zeros(len(ordered), np.float32),
    )  # fmt: skip
    known = np.array(sorted(key_of(word, model) for word in words), np.uint64)
    lexicon = Lexicon(known, np.full(len(known), -8, np.float32))
    return Priors(CharPrior(model, CHARSET), WordPrior(lexicon, model, CHARSET) if words else None)


def text(posteriors: np.ndarray, search: Search = NO_PRIOR, model: Priors | None = None) -> str:
    return CHARSET.decode(index for index, _ in find_text(posteriors, model or prior(), search).characters)


def exhaustive(posteriors: np.ndarray) -> str:
    """The most probable text, by adding up every path: what Graves defines."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(posteriors.shape[1]), repeat=len(posteriors)):
        merged = tuple(index for index, _ in itertools.groupby(path) if index != BLANK)
        probability = math.prod(float(posteriors[t, index]) for t, index in enumerate(path))
        totals[merged] = totals.get(merged, 0.0) + probability
    return CHARSET.decode(max(totals, key=totals.__getitem__))


@pytest.mark.parametrize("seed", range(12))
def test_without_a_model_it_finds_the_most_probable_text(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beam, "_MARGIN", math.inf)
    rng = np.random.default_rng(seed)
    posteriors = rng.dirichlet(np.full(len(CHARSET), 0.6), size=5).astype(np.float32)
    posteriors = np.maximum(posteriors, 0.011)
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    assert text(posteriors, Search(beams=400, weight=0, bonus=0)) == exhaustive(posteriors)


def test_a_sure_blank_parts_a_doubled_letter() -> None:
    a, b = CHARSET.encode("ab")
    posteriors = np.full((5, len(CHARSET)), 1e-6, np.float32)
    for step, index in enumerate((a, BLANK, a, BLANK, b)):
        posteriors[step, index] = 1.0
    assert text(posteriors) == "aab"


def test_alignments_of_one_text_add_up_against_the_best_path() -> None:
    # Best path: blank blank (0.36). But "a" has three alignments: 0.16 + 0.24 + 0.24.
    posteriors = np.array([[0.6, 0.4, 0, 0, 0]] * 2, np.float32)
    assert read_greedily(posteriors, CHARSET).text == ""
    assert text(posteriors) == "a"


def test_equal_neighbours_need_a_blank_between() -> None:
    rows = {"a": [0.02, 0.98, 0, 0, 0], "": [0.98, 0.02, 0, 0, 0]}
    assert text(np.array([rows["a"], rows["a"]], np.float32)) == "a"
    assert text(np.array([rows["a"], rows[""], rows["a"]], np.float32)) == "aa"


def test_the_model_decides_what_the_image_leaves_open() -> None:
    posteriors = np.array(
        [[0.01, 0.97, 0, 0.02, 0], [0.97, 0.01, 0, 0, 0.02], [0.02, 0, 0.47, 0, 0.51]], np.float32
    )
    assert text(posteriors) == "ac"
    likes_ab = prior(ab=0.9, ac=0.01)
    assert text(posteriors, Search(8, 0.5, 0.0), likes_ab) == "ab"
    sure = np.array([[0.01, 0.97, 0, 0.02, 0], [0.97, 0.01, 0, 0, 0.02], [0, 0, 0.001, 0, 0.999]], np.float32)
    assert text(sure, Search(8, 0.5, 0.0), likes_ab) == "ac"


def test_the_bonus_makes_up_for_the_price_of_length() -> None:
    posteriors = np.array([[0.55, 0.45, 0, 0, 0]], np.float32)
    assert text(posteriors, Search(8, 1.0, 0.0)) == ""
    assert text(posteriors, Search(8, 1.0, 1.7)) == "a"


def written(word: str, doubt: float = 0.0, second: str = "") -> np.ndarray:
    """Posteriors of a word, a blank after each letter; the last letter shares its step with another."""
    rows = []
    for letter in word:
        rows += [np.eye(len(CHARSET))[CHARSET.index(letter)], np.eye(len(CHARSET))[BLANK]]
    if second:
        rows[-2] = (1 - doubt) * rows[-2] + doubt * np.eye(len(CHARSET))[CHARSET.index(second)]
    return np.array(rows, np.float32) * 0.996 + 0.001


@pytest.mark.parametrize("after", ["", " ", " a"])
def test_a_known_word_wins_over_a_likelier_unknown_one(after: str) -> None:
    doubtful = written("abc", 0.4, "a")
    posteriors = np.vstack([doubtful, written(after)]) if after else doubtful
    words = Search(8, 0.0, 0.0, word_weight=0.15, word_bonus=0.2)
    assert text(posteriors, words, prior("aba", "cab")) == ("aba" + after)
    assert text(posteriors, words, prior("abc", "cab")) == ("abc" + after)
    assert text(posteriors, NO_PRIOR, prior("aba", "cab")) == ("abc" + after)


def test_a_clear_word_stays_however_unknown() -> None:
    clear = written("abc", 0.01, "a")
    assert text(clear, Search(8, 0.0, 0.0, word_weight=0.15, word_bonus=0.2), prior("aba")) == "abc"


def test_a_single_letter_is_no_word_to_be_judged() -> None:
    posteriors = written("a", 0.4, "b")
    assert text(posteriors, Search(8, 0.0, 0.0, word_weight=1, word_bonus=1), prior("ab", "b")) == "a"


def test_characters_come_with_the_step_they_stand_at() -> None:
    blank = [0.96, 0.01, 0.01, 0.01, 0.01]
    posteriors = np.array([blank, [0.1, 0.9, 0, 0, 0], blank, blank, [0.3, 0, 0.7, 0, 0]], np.float32)
    found = find_text(posteriors, prior(), NO_PRIOR).characters
    assert found == ((1, 1), (2, 4))
    reading = read_characters(found, posteriors, CHARSET)
    assert reading.text == "ab"
    assert reading.char_confidences == pytest.approx((0.9, 0.7))
    assert [left for left, _ in reading.char_spans] == pytest.approx([0.2, 0.8], abs=0.15)


def test_long_lines_do_not_underflow() -> None:
    rng = np.random.default_rng(0)
    posteriors = rng.dirichlet(np.full(len(CHARSET), 0.3), size=600).astype(np.float32)
    found = find_text(posteriors, prior(), Search(4, 0.3, 0.7)).characters
    assert len(found) > 100
    reading = read_characters(found, posteriors, CHARSET)
    edges = [edge for span in reading.char_spans for edge in span]
    assert edges == sorted(edges)
    assert 0 < reading.confidence < 1


def test_an_empty_line_is_an_empty_text() -> None:
    assert find_text(np.zeros((0, 5), np.float32), prior(), NO_PRIOR).characters == ()
    blank = np.tile(np.array([0.99999, 0, 0, 0.00001, 0], np.float32), (20, 1))
    assert find_text(blank, prior(), NO_PRIOR).characters == ()


def test_a_line_is_certain_when_every_step_is() -> None:
    sure = np.array([[0.99, 0.01], [0.005, 0.995]], np.float32)
    assert is_certain(sure)
    assert not is_certain(np.vstack([sure, np.array([[0.6, 0.4]], np.float32)]))
    assert is_certain(np.zeros((0, 2), np.float32))
