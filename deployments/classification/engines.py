"""The engine that the settings name; the libraries of the others are never imported."""

from __future__ import annotations

from typing import Any

from deployments.classification.config import ClassificationArgs
from deployments.classification.preprocess import Box
from deployments.classification.scores import Scores
from deployments.engine import Engine
from deployments.fakes import FakeClassifier
from deployments.types import Image, KindScore

ClassificationEngine = Engine[Image, Box, Scores, KindScore]


def build_engine(args: ClassificationArgs) -> ClassificationEngine | Engine[Image, Any, Any, KindScore]:
    """Load the engine with its weights; not yet warm.

    Raises:
        deployments.weights.WeightsError: the weights are not there or do not fit.
        ValueError: the device does not exist.
    """
    if args.engine == "fake":
        return FakeClassifier(args.fake)
    if args.engine == "clip":
        from deployments.classification.clip import ClipEngine

        return ClipEngine(args)
    from deployments.classification.cnn import CnnEngine

    return CnnEngine(args)
