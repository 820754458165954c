from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from deployments.recognition.charlm import CharModel
from deployments.recognition.charset import Charset
from deployments.recognition.lexicon import RAREST, UNKNOWN, WORDS_FILE, Lexicon, WordPrior
from deployments.weights import METADATA, Weights, WeightsError, resolve, sha256
from training.lexicon import added, count_words, counted, key_of, main, read_words, write_words

CHARSET = Charset()


@pytest.fixture(scope="module")
def model() -> CharModel:
    return CharModel.of_weights(resolve("charlm-ru-en", "charlm"))


@pytest.fixture(scope="module")
def shipped() -> Lexicon:
    return Lexicon.of_weights(resolve("charlm-ru-en", "charlm"))


@pytest.mark.parametrize("word", ["договор", "счет", "получатель", "payment", "the", "signature"])
def test_the_shipped_lexicon_knows_words_of_both_languages(
    shipped: Lexicon, model: CharModel, word: str
) -> None:
    assert shipped.log_probability(key_of(word, model)) > UNKNOWN


@pytest.mark.parametrize("word", ["дгоовор", "paymnet", "щщщщ", "договоp"])
def test_what_is_no_word_is_unknown(shipped: Lexicon, model: CharModel, word: str) -> None:
    assert shipped.log_probability(key_of(word, model)) == UNKNOWN


def test_frequent_words_are_likelier_and_rare_ones_are_levelled(shipped: Lexicon, model: CharModel) -> None:
    frequent, usual = (shipped.log_probability(key_of(word, model)) for word in ("и", "не"))
    assert frequent == UNKNOWN < RAREST < usual < 0


def test_words_are_runs_of_letters_folded_and_counted() -> None:
    counts = count_words([("Счёт № 12-В, счет!", 1.0), ("ИП счёт2счёт", 0.5)])
    assert counts == Counter({"счет": 3.0, "ип": 0.5})


def test_what_is_written_is_read_again(tmp_path: Path, model: CharModel) -> None:
    words = counted(Counter({"счет": 3.0, "банк": 1.0, "漢字": 1.0}), model)
    assert len(words.keys) == 2
    write_words(words, tmp_path)
    lexicon = Lexicon.of_weights(Weights("x", tmp_path, {"sha256": {WORDS_FILE: ""}}))
    assert lexicon.log_probability(key_of("счет", model)) == pytest.approx(np.log(0.75), abs=1 / 16)
    assert lexicon.log_probability(key_of("банк", model)) == pytest.approx(np.log(0.25), abs=1 / 16)


def test_forms_that_texts_have_counted_keep_their_counts(model: CharModel) -> None:
    words = counted(Counter({"счет": 3.0, "банк": 1.0}), model)
    more = added(words, ["банк", "счетом", "счетами", "счетом", "漢字"], model, -16.0)
    assert list(more.keys) == sorted(key_of(word, model) for word in ("счет", "банк", "счетом", "счетами"))
    logs = dict(zip(more.keys.tolist(), more.logs.tolist(), strict=True))
    assert logs[key_of("банк", model)] == pytest.approx(np.log(0.25))
    assert logs[key_of("счетом", model)] == logs[key_of("счетами", model)] == -16.0


def test_a_list_joins_the_words_of_a_weight(tmp_path: Path, model: CharModel) -> None:
    for file in resolve("charlm-ru-en", "charlm").path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_words(counted(Counter({"счет": 3.0, "банк": 1.0}), model), tmp_path)
    metadata = json.loads((tmp_path / METADATA).read_text(encoding="utf-8"))
    metadata["sha256"][WORDS_FILE] = sha256(tmp_path / WORDS_FILE)
    (tmp_path / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    (tmp_path / "forms.txt").write_text("Банк\nБанков\n", encoding="utf-8")
    for _ in range(2):  # A second time nothing is new.
        main(["--into", str(tmp_path), "--add", str(tmp_path / "forms.txt"), "--data", "a list"])
        training = json.loads((tmp_path / METADATA).read_text(encoding="utf-8"))["training"]
        assert training["words"] == 3 and training["data"].count("a list") == 1
        words = read_words(tmp_path)  # It checks the sum that is recorded.
        assert list(words.keys) == sorted(key_of(word, model) for word in ("счет", "банк", "банков"))


@pytest.mark.parametrize("word", ["булок", "сложностям", "ограничьтесь", "сопоставлением"])
def test_the_shipped_lexicon_knows_inflected_forms(shipped: Lexicon, model: CharModel, word: str) -> None:
    assert UNKNOWN < RAREST <= shipped.log_probability(key_of(word, model))


def test_letters_of_either_case_are_one_word(shipped: Lexicon, model: CharModel) -> None:
    prior = WordPrior(shipped, model, CHARSET)
    upper, lower = (prior.letters[CHARSET.index(letter)] for letter in "Яя")
    assert upper == lower > 0
    assert prior.letters[CHARSET.index("7")] == prior.letters[CHARSET.index("-")] == 0


def test_a_model_without_a_lexicon_has_an_empty_one(tmp_path: Path) -> None:
    assert len(Lexicon.of_weights(Weights("x", tmp_path, {"sha256": {}}))) == 0


def test_a_file_that_is_no_lexicon_is_named(tmp_path: Path) -> None:
    (tmp_path / METADATA).write_text("{}")
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "other.npy").rename(tmp_path / WORDS_FILE)
    with pytest.raises(WeightsError, match="'x'"):
        Lexicon.of_weights(Weights("x", tmp_path, {"sha256": {WORDS_FILE: ""}}))
