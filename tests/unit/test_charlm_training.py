"""The character model as it is counted: Witten-Bell by hand on a few letters, and its command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deployments.recognition.charlm import CharModel
from deployments.weights import resolve
from training.charlm import count_ngrams, estimate, main, perplexity

CLASSES = " ab"


def model_of(text: str, order: int, least: float = 0.0, weight: float = 1.0) -> CharModel:
    return estimate(count_ngrams([(text, weight)], CLASSES, order), CLASSES, least).model()


def probability(model: CharModel, context: str, following: str) -> float:
    state = 0
    for symbol in context:
        state = model.extend(state, model.class_of(symbol))
    return float(np.exp(model.next_log_probabilities(state)[model.class_of(following)]))


def test_letters_alone_are_counted_with_one_more_of_each() -> None:
    model = model_of("abab", order=2)
    # Two of four, one more of each of three classes, and one for what is unknown.
    assert probability(model, "", "a") == pytest.approx(3 / 8)


def test_a_pair_is_mixed_with_its_last_letter_by_the_kinds_that_follow() -> None:
    """After a: b twice, of one kind. After b: a once, of one kind."""
    model = model_of("abab", order=2)
    assert probability(model, "a", "b") == pytest.approx((2 + 1 * 3 / 8) / (2 + 1))
    assert probability(model, "b", "a") == pytest.approx((1 + 1 * 3 / 8) / (1 + 1))
    assert probability(model, "a", "a") == pytest.approx(1 / 3 * 3 / 8)


def test_the_more_kinds_follow_the_less_a_context_is_believed() -> None:
    one = model_of("abababab", order=2)
    many = model_of("abaa a ab", order=2)
    assert probability(one, "a", "b") > probability(many, "a", "b") > 3 / 10


def test_weights_count_a_text_so_many_times() -> None:
    thrice = estimate(count_ngrams([("ab a", 3.0)], CLASSES, 2), CLASSES, 0.0)
    again = estimate(count_ngrams([("ab a", 1.0)] * 3, CLASSES, 2), CLASSES, 0.0)
    np.testing.assert_array_equal(thrice.keys, again.keys)
    np.testing.assert_allclose(thrice.log_probabilities, again.log_probabilities)


@pytest.mark.parametrize("least", [0.0, 2.0, 5.0, 1000.0])
def test_what_is_dropped_goes_to_the_shorter_context(least: float) -> None:
    letters = np.random.default_rng(0).choice(list(CLASSES), 400)
    model = model_of("".join(letters), order=4, least=least)
    for context in ("", "a", "ab", "ba ", "aab"):
        total = sum(probability(model, context, each) for each in CLASSES)
        assert total == pytest.approx(1, abs=0.01)


def test_rare_long_runs_are_dropped_and_pairs_never() -> None:
    counts = count_ngrams([("ab ab ab b", 1.0)], CLASSES, 3)
    kept = estimate(counts, CLASSES, least=3.0).keys
    by_order = [{key for key in kept.tolist() if key >> 8 * n and not key >> 8 * (n + 1)} for n in range(3)]
    assert by_order[1] == set(counts[1][0].tolist())
    assert len(by_order[2]) < len(counts[2][0])


def test_a_symbol_outside_the_classes_ends_a_run() -> None:
    pairs, _ = count_ngrams([("a%b", 1.0)], CLASSES, 2)[1]
    assert pairs.size == 0


def test_the_command_writes_a_weight_that_the_service_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("счёт закрыт\nсчёт открыт\n" * 30, encoding="utf-8")
    text, out = tmp_path / "text.txt", tmp_path / "model"
    assert main(["--text", f"{text}=1", "--test", str(text), "--least", "1", "--out", str(out)]) == 0
    assert "perplexity" in capsys.readouterr().out
    model = CharModel.of_weights(resolve(str(out), "charlm"))
    assert probability(model, " сче", "т") > 0.5  # ё is read as е.
    assert perplexity(model, " счёт закрыт ") < 3
