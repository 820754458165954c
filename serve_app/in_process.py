"""The whole graph in one process: the stages, their batchers and the pipeline, without Serve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from deployments.classification.config import ClassificationTuning
from deployments.classification.engines import build_engine as build_classifier
from deployments.detection.config import DetectionTuning
from deployments.detection.engines import build_engine as build_detector
from deployments.recognition.config import RecognitionTuning
from deployments.recognition.engines import build_engine as build_recogniser
from deployments.stage import Stage
from serve_app.config import CLASSIFICATION, DETECTION, AppConfig, recognition_name
from serve_app.pages import SourcePage
from serve_app.pipeline import OcrPipeline, Recogniser
from serve_app.reader import ReadOptions
from serve_app.results import PageResult

Tuning = Mapping[str, Mapping[str, Any]]
"""``user_config`` by the name of its deployment, as in serve_config.yaml."""


class InProcessReader:
    """A :class:`serve_app.reader.Reader` whose stages are in this process.

    Loads and warms every engine. Documents read at the same time share model steps, as requests to
    the service do.
    """

    def __init__(self, config: AppConfig, tuning: Tuning) -> None:
        """Raises what loading an engine raises, and pydantic.ValidationError for wrong tuning."""
        self._stages: dict[str, Stage[Any, Any]] = {
            DETECTION: Stage(build_detector(config.detection), DetectionTuning),
            CLASSIFICATION: Stage(build_classifier(config.classification), ClassificationTuning),
        }
        readers = {}
        for engine, args in config.recognition.in_use.items():
            readers[engine] = Stage(build_recogniser(args), RecognitionTuning)
            self._stages[recognition_name(engine)] = readers[engine]
        for name, stage in self._stages.items():
            stage.reconfigure(tuning.get(name, {}))
        by_kind = config.recognition.by_kind
        self.engines: Mapping[str, str] = config.engines
        self._pipeline = OcrPipeline(
            self._stages[DETECTION],
            self._stages[CLASSIFICATION],
            {kind: Recogniser(engine, readers[engine]) for kind, engine in by_kind.items()},
            config.pipeline,
        )

    def stream(self, pages: AsyncIterator[SourcePage], options: ReadOptions) -> AsyncGenerator[PageResult]:
        """Read decoded pages; see ``OcrPipeline.stream``."""
        return self._pipeline.stream(pages, options)

    def check_health(self) -> None:
        """Raise RuntimeError where a stage is broken; see ``deployments.stage.Stage.check_health``."""
        for stage in self._stages.values():
            stage.check_health()

    async def readiness(self) -> Mapping[str, bool]:
        """Every stage: they are warm before there is a reader."""
        return dict.fromkeys(self._stages, True)

    async def close(self) -> None:
        """Release the threads."""
        await asyncio.gather(*(stage.close() for stage in self._stages.values()))
