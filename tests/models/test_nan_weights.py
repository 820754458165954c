"""Weights that answer NaN do not get through the warm-up of any engine, nor past its forward later on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments.classification.config import ClassificationArgs, ClassificationTuning
from deployments.classification.engines import build_engine as build_classifier
from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.engines import build_engine as build_detector
from deployments.errors import StageFailed
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.engines import build_engine as build_recogniser
from deployments.stage import Stage
from deployments.weights import METADATA, SHIPPED

Build = Callable[[str], Stage[Any, Any]]

BUILDERS: dict[str, Build] = {
    "yolo": lambda at: Stage(build_detector(DetectionArgs(engine="yolo", weights=at)), DetectionTuning),
    "craft": lambda at: Stage(build_detector(DetectionArgs(engine="craft", weights=at)), DetectionTuning),
    "clip": lambda at: Stage(
        build_classifier(ClassificationArgs(engine="clip", weights=at)), ClassificationTuning
    ),
    "cnn": lambda at: Stage(
        build_classifier(ClassificationArgs(engine="cnn", weights=at)), ClassificationTuning
    ),
    "crnn": lambda at: Stage(build_recogniser(RecognitionArgs(engine="crnn", weights=at)), RecognitionTuning),
    "trocr": lambda at: Stage(
        build_recogniser(RecognitionArgs(engine="trocr", weights=at)), RecognitionTuning
    ),
}


def with_nan(name: str, tensor: str, folder: Path) -> str:
    """A copy of a shipped weight in which one value of a tensor is NaN."""
    shutil.copytree(SHIPPED / name, folder)
    (path,) = folder.glob("*model.safetensors")
    tensors = load_file(path)
    tensors[tensor].view(-1)[0] = torch.nan
    save_file(tensors, path, {"format": "pt"})
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    (folder / METADATA).write_text(json.dumps(metadata | {"sha256": {}}), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("engine", "name", "tensor"),
    [
        ("yolo", "yolo-lines", "model.0.conv.weight"),
        ("craft", "craft-lines", "decode_head.classifier.bias"),
        ("clip", "clip-kind", "visual.head.proj.weight"),
        ("cnn", "cnn-kind", "classifier.bias"),
        ("crnn", "crnn-ru-en", "head.bias"),
        ("trocr", "trocr-ru-en", "encoder.norm.bias"),
    ],
)
def test_no_stage_starts_with_them(engine: str, name: str, tensor: str, tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="no numbers"):
        BUILDERS[engine](with_nan(name, tensor, tmp_path / name))
