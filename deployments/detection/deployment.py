"""The Serve deployment of detection: pages in, located lines out."""

from __future__ import annotations

from ray import serve

from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.engines import build_engine
from deployments.metrics import StageMetrics
from deployments.stage import Stage
from deployments.tracing import log_through_serve
from deployments.types import Image, PageLines


@serve.deployment
class Detection(Stage[Image, PageLines]):
    """Numbers of replicas, resources and queues stand in serve_config.yaml."""

    def __init__(self, args: DetectionArgs) -> None:
        log_through_serve()
        super().__init__(build_engine(args), DetectionTuning, StageMetrics())
