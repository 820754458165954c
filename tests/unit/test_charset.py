from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.recognition.charset import (
    BLANK,
    CYRILLIC,
    RUSSIAN_ENGLISH,
    Charset,
    UnknownSymbols,
    normalise,
)

words = st.text(st.sampled_from(RUSSIAN_ENGLISH), max_size=40)


def test_holds_both_alphabets_with_yo_figures_and_currency() -> None:
    charset = Charset()
    assert all(symbol in charset for symbol in "AZazАЯаяЁё09 №§°€£₽«»„“”‘’–—…½")
    assert len(CYRILLIC) == 66


def test_blank_is_zero_and_no_symbol_has_its_index() -> None:
    charset = Charset("ab")
    assert (BLANK, charset.index("a"), charset.index("b"), len(charset)) == (0, 1, 2, 3)
    assert charset.symbol(BLANK) == ""


def test_a_symbol_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice: 'a'"):
        Charset("aba")


@given(words)
def test_decoding_what_was_encoded_gives_the_normalised_text(text: str) -> None:
    charset = Charset()
    assert charset.decode(charset.encode(text)) == normalise(text)


@given(st.lists(words, max_size=5))
def test_a_batch_survives_the_round_trip(texts: list[str]) -> None:
    charset = Charset()
    assert charset.decode_batch(*charset.encode_batch(texts)) == [normalise(text) for text in texts]


def test_decomposed_letters_are_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "Йёж")
    assert len(decomposed) == 5
    assert Charset().decode(Charset().encode(decomposed)) == "Йёж"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("−5 °C", "-5 °C"),
        ("1\u00a0000\u2009₽", "1 000 ₽"),
        ("пере\u00adнос", "перенос"),
        ("  a \n b ", "a b"),
        ("5º", "5°"),
        ("мар‑т", "мар-т"),
    ],
)
def test_code_points_that_print_alike_become_one(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_latin_and_cyrillic_twins_stay_apart() -> None:
    assert Charset().encode("о") != Charset().encode("o")


def test_unknown_symbols_are_named() -> None:
    assert not Charset().covers("число π")
    with pytest.raises(UnknownSymbols, match="π"):
        Charset().encode("число π")
