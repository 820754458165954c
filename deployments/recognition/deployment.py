"""The Serve deployment of recognition: line crops in, text out. One deployment per engine in use."""

from __future__ import annotations

from ray import serve

from deployments.metrics import StageMetrics
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.engines import build_engine
from deployments.stage import Stage
from deployments.tracing import log_through_serve
from deployments.types import Image, Reading


@serve.deployment
class Recognition(Stage[Image, Reading]):
    """Numbers of replicas, resources and queues stand in serve_config.yaml."""

    def __init__(self, args: RecognitionArgs) -> None:
        log_through_serve()
        super().__init__(build_engine(args), RecognitionTuning, StageMetrics())
