"""The engine that the settings name; the libraries of the others are never imported."""

from __future__ import annotations

from typing import Any

from deployments.cpu_kernels import keep_few_layers
from deployments.engine import Engine
from deployments.fakes import FakeRecogniser
from deployments.recognition.config import RecognitionArgs
from deployments.types import Image, Reading

RecognitionEngine = Engine[Image, Any, Any, Reading]


def build_engine(args: RecognitionArgs) -> RecognitionEngine:
    """Load the engine with its weights; not yet warm.

    Raises:
        deployments.weights.WeightsError: the weights are not there or do not fit.
        ValueError: the device does not exist.
    """
    if args.engine == "fake":
        return FakeRecogniser(args.fake)
    if args.engine == "crnn":
        keep_few_layers()
        from deployments.recognition.crnn import CrnnEngine

        return CrnnEngine(args)
    from deployments.recognition.trocr import TrocrEngine

    return TrocrEngine(args)
