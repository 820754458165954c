"""The engine that the settings name; the libraries of the others are never imported."""

from __future__ import annotations

from typing import Any

from deployments.detection.config import DetectionArgs
from deployments.engine import Engine
from deployments.fakes import FakeDetector
from deployments.types import Image, PageLines


def build_engine(args: DetectionArgs) -> Engine[Image, Any, Any, PageLines]:
    """Load the engine with its weights; not yet warm.

    Raises:
        deployments.weights.WeightsError: the weights are not there or do not fit.
        ValueError: the device does not exist.
    """
    if args.engine == "fake":
        return FakeDetector(args.fake)
    if args.engine == "yolo":
        from deployments.detection.yolo import YoloEngine

        return YoloEngine(args)
    from deployments.detection.craft import CraftEngine

    return CraftEngine(args)
