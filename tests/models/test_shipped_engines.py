"""Every engine that the settings offer starts with the weight the repository ships for it."""

from __future__ import annotations

import numpy as np
import pytest

from deployments.classification import config as classification
from deployments.classification.engines import build_engine as build_classifier
from deployments.detection import config as detection
from deployments.detection.engines import build_engine as build_detector
from deployments.engine import Engine, Prepared
from deployments.errors import OcrError
from deployments.recognition import config as recognition
from deployments.recognition.engines import build_engine as build_recogniser

BUILDERS = {
    "yolo": lambda: build_detector(detection.DetectionArgs(engine="yolo", device="cpu")),
    "craft": lambda: build_detector(detection.DetectionArgs(engine="craft", device="cpu")),
    "clip": lambda: build_classifier(classification.ClassificationArgs(engine="clip", device="cpu")),
    "cnn": lambda: build_classifier(classification.ClassificationArgs(engine="cnn", device="cpu")),
    "crnn": lambda: build_recogniser(recognition.RecognitionArgs(engine="crnn", device="cpu")),
    "trocr": lambda: build_recogniser(recognition.RecognitionArgs(engine="trocr", device="cpu")),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_an_engine_starts_with_nothing_but_its_name(name: str) -> None:
    engine: Engine = BUILDERS[name]()
    assert engine.name == name
    image = np.full((48, 200, 3), 230, np.uint8)
    image[16:32, 20:180:8] = 20
    prepared = [item for item in engine.prepare([image]) if isinstance(item, Prepared)]
    (outcome,) = engine.finish(engine.forward(prepared))
    assert not isinstance(outcome, OcrError)
