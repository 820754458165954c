"""The CRAFT engine on a checkpoint in the hub's format, made here with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from deployments import geometry
from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.craft import CraftEngine, Heatmaps, read_lines
from deployments.detection.preprocess import InputSpec, fit_page
from deployments.errors import StageFailed
from deployments.types import PageLines
from deployments.weights import WeightsError

TINY = {
    "depths": [1, 1, 1, 1],
    "hidden_sizes": [8, 8, 16, 16],
    "num_attention_heads": [1, 1, 2, 2],
    "decoder_hidden_size": 16,
}


def checkpoint(folder: Path, labels: int = 2) -> Path:
    torch.manual_seed(0)
    config = SegformerConfig(num_labels=labels, **TINY)
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> CraftEngine:
    torch.set_num_threads(1)
    folder = checkpoint(tmp_path_factory.mktemp("hub") / "craft")
    return CraftEngine(DetectionArgs(engine="craft", weights=str(folder), device="cpu"))


def test_maps_have_a_quarter_of_the_page_and_ignore_the_padding_of_a_batch(engine: CraftEngine) -> None:
    rng = np.random.default_rng(0)
    pages = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((96, 128, 3), (160, 64, 3))]
    prepared = [item for item in engine.prepare(pages) if not isinstance(item, StageFailed)]
    maps = engine.forward(prepared)
    assert [one.maps.shape for one in maps] == [(2, 24, 32), (2, 40, 16)]
    assert all(one.stride == 4 and one.maps.min() >= 0 and one.maps.max() <= 1 for one in maps)
    assert all(isinstance(result, PageLines) for result in engine.finish(maps))


def test_two_drawn_words_come_back_as_one_line_on_the_page(engine: CraftEngine) -> None:
    page = np.full((200, 400, 3), 255, np.uint8)
    fitted = fit_page(page, engine.spec)
    maps = np.zeros((2, fitted.pixels.shape[0] // 4, fitted.pixels.shape[1] // 4), np.float32)
    maps[0, 20:26, 10:30] = maps[0, 20:26, 34:60] = 0.95
    lines = read_lines(Heatmaps(fitted, maps, 4), DetectionTuning(join_gap=1.0, growth=0.0))
    (line,) = lines.lines
    assert line.score == pytest.approx(0.95)
    assert geometry.quad_iou(line.quad, geometry.quad_from_box((40, 80, 200, 24))) > 0.6


def test_lines_of_a_squeezed_input_lie_on_the_page() -> None:
    fitted = fit_page(np.full((400, 800, 3), 255, np.uint8), InputSpec(squeeze=0.4))
    maps = np.zeros((2, 100, 80), np.float32)
    maps[:, 40:50, 20:60] = 0.9
    (line,) = read_lines(Heatmaps(fitted, maps, 4), DetectionTuning(growth=0.0)).lines
    assert geometry.quad_iou(line.quad, geometry.quad_from_box((200, 160, 400, 40))) > 0.9


def test_thresholds_change_live(engine: CraftEngine) -> None:
    fitted = fit_page(np.full((128, 128, 3), 255, np.uint8), engine.spec)
    maps = np.zeros((2, 32, 32), np.float32)
    maps[0, 10:16, 4:28] = 0.5
    found = Heatmaps(fitted, maps, 4)
    try:
        engine.configure(DetectionTuning(text_threshold=0.6))
        assert engine.finish([found])[0].lines == ()  # type: ignore[union-attr]
        engine.configure(DetectionTuning(text_threshold=0.4))
        assert len(engine.finish([found])[0].lines) == 1  # type: ignore[union-attr]
        with pytest.raises(TypeError):
            engine.configure(None)
    finally:
        engine.configure(DetectionTuning())


def test_a_bad_item_fails_alone(engine: CraftEngine) -> None:
    outcomes = engine.prepare([np.zeros((0, 9, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)])
    assert isinstance(outcomes[0], StageFailed) and not isinstance(outcomes[1], StageFailed)


def test_checkpoints_that_do_not_fit_say_so(tmp_path: Path) -> None:
    def build(folder: Path) -> CraftEngine:
        return CraftEngine(DetectionArgs(engine="craft", weights=str(folder), device="cpu"))

    with pytest.raises(WeightsError, match="150 labels"):
        build(checkpoint(tmp_path / "scenes", labels=150))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="no SegFormer"):
        build(tmp_path / "empty")
    wrong = checkpoint(tmp_path / "wrong")
    metadata = {"name": "wrong", "engine": "craft", "format": 1, "input": {"width": 3}}
    (wrong / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(WeightsError, match="input"):
        build(wrong)
