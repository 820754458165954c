"""The likelihood of a text, against the sum over every alignment that defines it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from deployments.recognition.charset import BLANK
from deployments.recognition.likelihood import log_likelihood


def summed(posteriors: np.ndarray, text: tuple[int, ...]) -> float:
    """By adding up every path that reads as the text."""
    total = 0.0
    for path in itertools.product(range(posteriors.shape[1]), repeat=len(posteriors)):
        if tuple(index for index, _ in itertools.groupby(path) if index != BLANK) == text:
            total += math.prod(float(posteriors[step, index]) for step, index in enumerate(path))
    return total


def likelihood(posteriors: np.ndarray, *text: int) -> float:
    return log_likelihood(posteriors, np.array(text, np.int32))


@pytest.mark.parametrize("text", [(), (1,), (1, 2), (1, 1), (2, 1, 2), (2, 2, 1), (1, 2, 3), (3, 3, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_sum_over_all_alignments(seed: int, text: tuple[int, ...]) -> None:
    posteriors = np.random.default_rng(seed).dirichlet(np.full(4, 0.7), size=5).astype(np.float32)
    assert likelihood(posteriors, *text) == pytest.approx(math.log(summed(posteriors, text)), rel=1e-5)


def test_all_texts_together_are_certain() -> None:
    posteriors = np.random.default_rng(9).dirichlet(np.full(3, 1.0), size=4).astype(np.float32)
    texts = (text for length in range(5) for text in itertools.product((1, 2), repeat=length))
    assert sum(math.exp(likelihood(posteriors, *text)) for text in texts) == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_is_very_unlikely_and_still_a_number() -> None:
    sure = np.array([[0, 1, 0]], np.float32)
    assert likelihood(sure, 1) == pytest.approx(0, abs=1e-6)
    assert math.isfinite(likelihood(sure, 1, 2)) and likelihood(sure, 1, 2) < -600
    assert likelihood(sure, 2) == pytest.approx(math.log(1e-10))
    assert likelihood(np.zeros((0, 3), np.float32)) == 0
    assert math.isfinite(likelihood(np.zeros((0, 3), np.float32), 1))
    assert math.isfinite(likelihood(np.zeros((50, 3), np.float32), *[1, 2] * 20))


def test_long_lines_do_not_underflow() -> None:
    posteriors = np.full((600, 3), 1 / 3, np.float32)
    # 600 steps of 1/3 each, times the number of alignments: ways to cut 600 steps into one or two blanks
    # and a run between them, which are 600 * 601 / 2.
    assert likelihood(posteriors, 1) == pytest.approx(math.log(600 * 601 / 2) - 600 * math.log(3), rel=1e-5)
