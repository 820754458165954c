from __future__ import annotations

import math

import numpy as np
import pytest

from deployments.recognition.charlm import CharModel, CharPrior, fold_symbol
from deployments.recognition.charset import Charset
from deployments.weights import SHIPPED, WeightsError, resolve

CHARSET = Charset()


@pytest.fixture(scope="module")
def shipped() -> CharModel:
    return CharModel.of_weights(resolve("charlm-ru-en", "charlm"))


def context_of(model: CharModel, text: str) -> int:
    context = 0
    for symbol in text:
        context = model.extend(context, model.class_of(symbol))
    return context


def best_next(model: CharModel, text: str) -> str:
    values = model.next_log_probabilities(context_of(model, text))
    return model.classes[int(values[1:].argmax())]


@pytest.mark.parametrize(
    ("symbol", "folded"), [("Ж", "ж"), ("Ё", "е"), ("7", "0"), ("»", '"'), ("—", "-"), ("№", "№"), ("½", "½")]
)
def test_case_digits_and_typography_are_folded(symbol: str, folded: str) -> None:
    assert fold_symbol(symbol) == folded


@pytest.mark.parametrize(
    ("text", "following"), [("обязательст", "в"), ("the governmen", "t"), ("информац", "и"), ("1", "0")]
)
def test_the_shipped_model_knows_both_languages(shipped: CharModel, text: str, following: str) -> None:
    assert best_next(shipped, f" {text}") == following


@pytest.mark.parametrize("text", ["", " ", " догов", " dogov", "щщщщщщ", "]]"])
def test_every_context_has_a_distribution(shipped: CharModel, text: str) -> None:
    values = shipped.next_log_probabilities(context_of(shipped, text))
    # Bytes of a sixteenth of a nat round each term by up to three per cent.
    assert float(np.exp(values[1:]).sum()) == pytest.approx(1, abs=0.05)


def log_probability(model: CharModel, text: str, following: str) -> float:
    return float(model.next_log_probabilities(context_of(model, text))[model.class_of(following)])


def test_latin_twins_do_not_follow_cyrillic(shipped: CharModel) -> None:
    cyrillic, latin = (log_probability(shipped, " дог", twin) for twin in ("о", "o"))
    assert cyrillic > latin + math.log(100)


def test_digits_and_cases_are_alike_to_a_charset(shipped: CharModel) -> None:
    classes = CharPrior(shipped, CHARSET).classes
    assert len({classes[CHARSET.index(digit)] for digit in "0123456789"}) == 1
    assert classes[CHARSET.index("о")] == classes[CHARSET.index("О")] != classes[CHARSET.index("O")]


def test_an_unknown_symbol_is_unlikely_and_empties_the_context(shipped: CharModel) -> None:
    assert CharPrior(shipped, Charset("aя漢")).classes.tolist()[3] == 0
    assert shipped.next_log_probabilities(context_of(shipped, " a"))[0] < -15
    assert shipped.extend(context_of(shipped, " a"), 0) == 0


def test_a_weight_that_is_no_model_is_named() -> None:
    assert (SHIPPED / "crnn-ru-en").is_dir()
    with pytest.raises(WeightsError, match="'crnn-ru-en' are no character model"):
        CharModel.of_weights(resolve("crnn-ru-en", "crnn"))
