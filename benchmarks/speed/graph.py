"""The graph of a Serve configuration without Serve: its engines, tuning and pipeline in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments.classification.config import ClassificationTuning
from deployments.classification.engines import build_engine as build_classifier
from deployments.detection.config import DetectionTuning
from deployments.detection.engines import build_engine as build_detector
from deployments.recognition.config import RecognitionTuning
from deployments.recognition.engines import build_engine as build_recogniser
from deployments.settings import StageTuning
from serve_app.config import AppConfig

STAGES = ("detection", "classification", "recognition")
_TUNINGS: dict[str, type[StageTuning]] = {
    "Detection": DetectionTuning,
    "Classification": ClassificationTuning,
}


@dataclass(frozen=True, slots=True)
class Graph:
    """What a Serve configuration says of the application: ``args``, and the tuning of each stage.

    ``user_configs`` are the tunings as they stand, by the name of the deployment.
    """

    config: AppConfig
    tunings: Mapping[str, StageTuning]
    user_configs: Mapping[str, Mapping[str, Any]]


def read_graph(content: Mapping[str, Any]) -> Graph:
    """The only application of a Serve configuration.

    Raises:
        ValueError: lines of different kinds have different engines, which the limit does not model.
        pydantic.ValidationError: a key or value is wrong.
    """
    (application,) = content["applications"]
    config = AppConfig.model_validate(application.get("args", {}))
    if len(config.recognition.in_use) != 1:
        raise ValueError("the benchmark compares graphs with one recognition engine")
    tunings: dict[str, StageTuning] = {}
    user_configs: dict[str, Mapping[str, Any]] = {}
    for deployment in application.get("deployments", []):
        name = str(deployment["name"])
        model = _TUNINGS.get(name, RecognitionTuning)
        stage = "recognition" if name.startswith("Recognition") else name.lower()
        if stage in STAGES:
            user_configs[name] = deployment.get("user_config") or {}
            tunings[stage] = model.model_validate(user_configs[name])
    defaults = {
        "detection": DetectionTuning(),
        "classification": ClassificationTuning(),
        "recognition": RecognitionTuning(),
    }
    return Graph(config, {**defaults, **tunings}, user_configs)


def load_engines(graph: Graph) -> dict[str, Any]:
    """The engines of the graph by stage, tuned and warm."""
    (recognition,) = graph.config.recognition.in_use.values()
    engines: dict[str, Any] = {
        "detection": build_detector(graph.config.detection),
        "classification": build_classifier(graph.config.classification),
        "recognition": build_recogniser(recognition),
    }
    for stage, engine in engines.items():
        engine.configure(graph.tunings[stage])
        engine.warm_up()
    return engines


def read_yaml(path: Path) -> dict[str, Any]:
    """A Serve configuration as it stands in its file."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def values(outcomes: Sequence[Any]) -> list[Any]:
    """Outcomes that are all values; raises the first error among them."""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return list(outcomes)
