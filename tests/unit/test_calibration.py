from __future__ import annotations

import math

import numpy as np
import pytest

from training.calibration import expected_calibration_error, fit_temperature, negative_log_likelihood


def test_calibration_error_by_hand() -> None:
    # Two bins of (0, 0.5] and (0.5, 1]. The upper holds 0.9, 0.7 and 0.8, right twice of three:
    # |0.8 - 2/3| = 2/15, by weight 3/4. The lower holds 0.5, wrong: 0.5, by weight 1/4.
    confidences = np.array([0.9, 0.7, 0.8, 0.5])
    correct = np.array([True, True, False, False])
    error = expected_calibration_error(confidences, correct, bins=2)
    assert error == pytest.approx(2 / 15 * 3 / 4 + 0.5 / 4)


def test_fifteen_bins_tell_apart_what_one_bin_averages_out() -> None:
    confidences = np.array([0.6, 1.0])
    correct = np.array([True, False])
    assert expected_calibration_error(confidences, correct, bins=1) == pytest.approx(0.3)
    assert expected_calibration_error(confidences, correct) == pytest.approx((0.4 + 1.0) / 2)


def test_the_ends_of_the_scale_have_bins() -> None:
    confidences = np.array([0.0, 1.0])
    assert expected_calibration_error(confidences, np.array([False, True])) == 0.0
    assert expected_calibration_error(np.array([]), np.array([], dtype=bool)) == 0.0


def test_likelihood_by_hand() -> None:
    margins, labels = np.array([2.0, 2.0]), np.array([True, False])
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    assert negative_log_likelihood(margins, labels, temperature=2.0) == pytest.approx(expected)


def test_the_temperature_makes_the_odds_those_of_the_labels() -> None:
    # A margin of 4 that is right nine times of ten means odds of 9: 4 / T = ln 9.
    margins = np.full(10_000, 4.0)
    labels = np.arange(10_000) % 10 > 0
    assert fit_temperature(margins, labels) == pytest.approx(4 / math.log(9), rel=2e-3)


def test_weights_count_samples_more_than_once() -> None:
    # One error among four weighs as much as the three: even odds ask for no confidence at all.
    labels, weights = np.array([True, True, True, False]), np.array([1.0, 1.0, 1.0, 3.0])
    assert fit_temperature(np.full(4, 4.0), labels, weights) > 40
    repeated = fit_temperature(np.full(6000, 4.0), np.repeat([True, False], [5000, 1000]))
    weighted = fit_temperature(np.full(6000, 4.0), np.arange(6000) > 2999, np.repeat([1.0, 5.0], 3000))
    assert weighted == pytest.approx(repeated, rel=1e-6)


def test_no_error_among_few_samples_is_no_certainty() -> None:
    # Softened by 1 / (8 + 2): odds of nine, whatever the margin.
    assert fit_temperature(np.full(8, 4.0), np.ones(8, dtype=bool)) == pytest.approx(
        4 / math.log(9), rel=1e-3
    )


def test_a_temperature_leaves_a_calibrated_score_alone() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 3, 20_000)
    labels = rng.random(20_000) < 1 / (1 + np.exp(-margins))
    assert fit_temperature(margins, labels) == pytest.approx(1, abs=0.05)
    assert fit_temperature(3 * margins, labels) == pytest.approx(3, abs=0.15)


def test_nothing_to_calibrate_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="no scores"):
        fit_temperature(np.array([]), np.array([], dtype=bool))
