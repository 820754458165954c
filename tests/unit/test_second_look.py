"""Second looks: which lines get one, what is looked at, and what two looks amount to."""

from __future__ import annotations

import numpy as np
import pytest

from deployments.recognition.second_look import (
    certainty,
    mean_posteriors,
    packed,
    widened,
    with_paper_below,
)


def test_certainty_is_the_mean_of_what_each_step_finds_likeliest() -> None:
    assert certainty(np.array([[0.7, 0.3], [0.1, 0.9]], np.float32)) == pytest.approx(0.8)
    assert certainty(np.zeros((0, 2), np.float32)) == 1.0


def test_the_mean_is_geometric_and_sums_to_one() -> None:
    one, other = np.array([[0.8, 0.2]], np.float32), np.array([[0.2, 0.8]], np.float32)
    np.testing.assert_allclose(mean_posteriors([one, other]), [[0.5, 0.5]], atol=1e-6)
    # Square roots of 0.9 * 0.5 and 0.1 * 0.5: three to one.
    mean = mean_posteriors([np.array([[0.9, 0.1]], np.float32), np.array([[0.5, 0.5]], np.float32)])
    np.testing.assert_allclose(mean, [[0.75, 0.25]], atol=1e-6)
    assert mean.dtype == np.float32


def test_a_symbol_that_one_look_rules_out_is_no_error() -> None:
    mean = mean_posteriors([np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)])
    np.testing.assert_allclose(mean, [[0.5, 0.5]], atol=1e-6)


def test_a_look_adds_paper_below_and_loses_no_ink() -> None:
    line = np.zeros((32, 64), np.float32)
    line[:, 10:50] = 1.0
    look = with_paper_below(line)
    assert look.shape == line.shape and look.dtype == np.float32
    assert not look[:, :10].any() and not look[:, 50:].any()
    # 8 % of 32 rows are two and a half.
    assert (np.flatnonzero(look[:, 20] == 0) == [30, 31]).all() and look[0, 20] == 1


def test_a_widened_line_stays_within_what_the_network_may_be_given() -> None:
    line = np.zeros((32, 100), np.float32)
    line[:, 50:] = 1.0
    assert widened(line, 2400).shape == (32, 120) and widened(line, 2400).dtype == np.float32
    assert not widened(line, 2400)[:, :59].any() and widened(line, 2400)[:, 61:].all()
    assert widened(line, 110).shape == (32, 110)
    np.testing.assert_array_equal(widened(line, 100), line)


def test_steps_are_no_larger_than_the_first_and_as_few_as_that_allows() -> None:
    # Four lines of 100 and the same widened: three steps of at most 400 columns.
    assert packed([100] * 4 + [120] * 4, 400) == [[0, 1, 2, 3], [4, 5, 6], [7]]
    # Two of a batch of many: one step.
    assert packed([100, 64, 120, 96], 1600) == [[1, 3, 0, 2]]
    # A single line that is widened runs alone.
    assert packed([100, 120], 100) == [[0], [1]]
    assert packed([], 100) == []
