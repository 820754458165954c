from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from deployments.classification.config import ClassificationArgs, ClassificationTuning, Prompts
from deployments.classification.engines import build_engine
from deployments.classification.scores import handwritten_probability, kind_scores
from deployments.errors import StageFailed
from deployments.types import Kind, KindScore


def scores(handwritten: float, printed: float) -> np.ndarray:
    return np.array([handwritten, printed], np.float32)


def test_the_probability_is_a_softmax_of_two() -> None:
    expected = math.exp(2) / (math.exp(2) + math.exp(1))
    assert handwritten_probability(scores(2, 1)) == pytest.approx(expected)
    assert handwritten_probability(scores(2, 1), temperature=2) == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_huge_scores_neither_warn_nor_overflow() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert handwritten_probability(scores(1e30, -1e30)) == 1.0
        assert handwritten_probability(scores(-1e30, 1e30)) == 0.0


def test_the_confidence_is_that_of_the_kind_that_was_chosen() -> None:
    sure, unsure = kind_scores([scores(3, 0), scores(0, 3)], temperature=1, threshold=0.5)
    expected = 1 / (1 + math.exp(-3))
    assert sure == KindScore(Kind.HANDWRITTEN, pytest.approx(expected))
    assert unsure == KindScore(Kind.PRINTED, pytest.approx(expected))


def test_the_threshold_moves_the_decision_but_not_the_probability() -> None:
    (strict,) = kind_scores([scores(1, 0)], temperature=1, threshold=0.9)
    assert strict == KindScore(Kind.PRINTED, pytest.approx(1 - 1 / (1 + math.exp(-1))))


def test_a_score_that_is_not_finite_fails_alone() -> None:
    outcomes = kind_scores([scores(1, 0), scores(float("nan"), 0)], temperature=1, threshold=0.5)
    assert isinstance(outcomes[0], KindScore) and isinstance(outcomes[1], StageFailed)


def test_weights_default_to_those_shipped_for_the_engine() -> None:
    assert ClassificationArgs().reference == "clip-kind"
    assert ClassificationArgs(engine="cnn").reference == "cnn-kind"
    assert ClassificationArgs(engine="cnn", weights="/models/mine").reference == "/models/mine"


@pytest.mark.parametrize(
    "args",
    [
        {"engine": "resnet"},
        {"device": "gpu"},
        {"pretrained": "openai"},
        {"engine": "cnn", "weights": "ViT-B-32", "pretrained": "openai"},
        {"weight": "clip-kind"},
    ],
)
def test_arguments_that_mean_nothing_are_errors(args: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ClassificationArgs.model_validate(args)


@pytest.mark.parametrize(
    "tuning",
    [
        {"handwritten_threshold": 0},
        {"temperature": 0},
        {"prompts": {"handwritten": [], "printed": ["print"]}},
        {"prompts": {"handwritten": [" "], "printed": ["print"]}},
        {"prompts": {"handwritten": ["ink"]}},
        {"threshold": 0.5},
    ],
)
def test_tuning_that_means_nothing_is_an_error(tuning: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClassificationTuning.model_validate(tuning)


def test_prompts_are_found_by_kind() -> None:
    prompts = Prompts(handwritten=("ink",), printed=("type", "print"))
    assert prompts.of(Kind.HANDWRITTEN) == ("ink",) and prompts.of(Kind.PRINTED) == ("type", "print")


def test_the_fake_engine_needs_no_weights() -> None:
    assert build_engine(ClassificationArgs(engine="fake")).name == "fake"
