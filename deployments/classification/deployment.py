"""The Serve deployment of classification: line crops in, handwritten or printed out."""

from __future__ import annotations

from ray import serve

from deployments.classification.config import ClassificationArgs, ClassificationTuning
from deployments.classification.engines import build_engine
from deployments.metrics import StageMetrics
from deployments.stage import Stage
from deployments.tracing import log_through_serve
from deployments.types import Image, KindScore


@serve.deployment
class Classification(Stage[Image, KindScore]):
    """Numbers of replicas, resources and queues stand in serve_config.yaml."""

    def __init__(self, args: ClassificationArgs) -> None:
        log_through_serve()
        super().__init__(build_engine(args), ClassificationTuning, StageMetrics())
