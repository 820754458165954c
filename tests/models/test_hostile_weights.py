"""Weights that carry code: no loader runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from deployments.classification.clip import ClipEngine
from deployments.classification.config import ClassificationArgs
from deployments.detection.config import DetectionArgs
from deployments.detection.craft import CraftEngine
from deployments.detection.yolo import YoloEngine
from deployments.recognition.config import RecognitionArgs
from deployments.recognition.trocr import TrocrEngine
from deployments.weights import SHIPPED, WeightsError


class Code:
    """A pickle of this writes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self._marker, "the code ran")


def poisoned(path: Path, marker: Path) -> Path:
    """A checkpoint as torch writes them, with code in it."""
    torch.save({"model": Code(marker), "state_dict": {"weight": Code(marker)}}, path)
    return path


def shipped_without_safetensors(name: str, folder: Path) -> Path:
    """A shipped weight's configuration, without its tensors and checksums."""
    folder.mkdir()
    for file in (SHIPPED / name).iterdir():
        if file.suffix not in (".safetensors", ".md"):
            (folder / file.name).write_bytes(file.read_bytes())
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    metadata["sha256"] = {}
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


def test_an_ultralytics_file_with_code_is_refused(tmp_path: Path) -> None:
    path = poisoned(tmp_path / "evil.pt", tmp_path / "marker")
    with pytest.raises(WeightsError):
        YoloEngine(DetectionArgs(weights=str(path)))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("name", "file", "build"),
    [
        (
            "craft-lines",
            "pytorch_model.bin",
            lambda folder: CraftEngine(DetectionArgs(engine="craft", weights=folder)),
        ),
        (
            "trocr-ru-en",
            "pytorch_model.bin",
            lambda folder: TrocrEngine(RecognitionArgs(engine="trocr", weights=folder)),
        ),
        (
            "clip-kind",
            "open_clip_pytorch_model.bin",
            lambda folder: ClipEngine(ClassificationArgs(engine="clip", weights=folder)),
        ),
    ],
)
def test_a_checkpoint_with_code_is_refused(
    name: str, file: str, build: Callable[[str], object], tmp_path: Path
) -> None:
    folder = shipped_without_safetensors(name, tmp_path / name)
    poisoned(folder / file, tmp_path / "marker")
    with pytest.raises(WeightsError):
        build(str(folder))
    assert not (tmp_path / "marker").exists()


def test_the_code_would_run(tmp_path: Path) -> None:
    path = poisoned(tmp_path / "evil.pt", tmp_path / "marker")
    torch.load(path, weights_only=False)
    assert (tmp_path / "marker").read_text() == "the code ran"
