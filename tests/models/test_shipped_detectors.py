"""The shipped detectors find the lines of a filled form; their cards say how they do on real sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from deployments.detection.config import DetectionArgs, EngineName
from deployments.detection.engines import build_engine
from deployments.geometry import quad_from_box
from training.detection_evaluation import detect
from training.detection_metrics import match_lines

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "serve_app" / "web" / "static" / "sample.jpg"
TRUTH = ROOT / "tests" / "browser" / "sample_form.json"


@pytest.mark.parametrize("name", ["yolo", "craft"])
def test_most_lines_of_a_form_are_found(name: EngineName) -> None:
    engine = build_engine(DetectionArgs(engine=name, device="cpu"))
    engine.warm_up()
    page = np.asarray(PilImage.open(PAGE).convert("RGB"))
    truth = [quad_from_box(tuple(line["bbox"])) for line in json.loads(TRUTH.read_text(encoding="utf-8"))]
    found = [line.quad for line in detect(engine, page).lines]
    counts = match_lines(found, truth).counts
    assert counts.recall > 0.6
    assert counts.precision > 0.6
