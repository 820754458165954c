"""The graph without Serve has the stages of the graph on Serve, under the same names."""

from __future__ import annotations

from deployments.classification.config import ClassificationArgs
from deployments.detection.config import DetectionArgs
from serve_app.app import INGRESS, deployment_names
from serve_app.config import AppConfig, RecognitionChoice
from serve_app.in_process import InProcessReader

FAKES = AppConfig(
    detection=DetectionArgs(engine="fake"),
    classification=ClassificationArgs(engine="fake"),
    recognition=RecognitionChoice(printed="fake", handwritten="fake"),
)


async def test_tuning_finds_its_stage_by_the_name_of_its_deployment() -> None:
    reader = InProcessReader(FAKES, {})
    try:
        assert {INGRESS, *await reader.readiness()} == deployment_names(FAKES).keys()
    finally:
        await reader.close()


def test_every_stage_has_an_engine_in_the_answers() -> None:
    config = AppConfig(recognition=RecognitionChoice(printed="crnn", handwritten="trocr"))
    assert config.engines == {
        "detection": "yolo",
        "classification": "clip",
        "recognition.printed": "crnn",
        "recognition.handwritten": "trocr",
    }
