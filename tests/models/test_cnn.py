from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments.classification.cnn import CnnArchitecture, CnnEngine, KindNet, fold_pixels, fuse_batch_norms
from deployments.classification.config import ClassificationArgs, ClassificationTuning
from deployments.classification.engines import build_engine
from deployments.engine import Prepared
from deployments.errors import UnreadableDocument
from deployments.types import Image, KindScore
from deployments.weights import WeightsError, sha256

ARCHITECTURE = CnnArchitecture(widths=(8, 8), depths=(1, 1))
INPUT = {"height_px": 32, "width_px": 64, "channels": 1, "mean": [0.5], "std": [0.25], "max_rows": 2}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small network with settled statistics, in the format that is shipped."""
    torch.manual_seed(0)
    model = KindNet(ARCHITECTURE)
    for _ in range(5):
        model(torch.randn(8, 1, 32, 64))
    save_file(model.eval().state_dict(), tmp_path / "model.safetensors")
    metadata = {
        "name": "tiny",
        "engine": "cnn",
        "format": 1,
        "sha256": {"model.safetensors": sha256(tmp_path / "model.safetensors")},
        "input": INPUT,
        "architecture": ARCHITECTURE.model_dump(),
        "calibration": {"temperature": 2.0},
    }
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    return tmp_path


def engine_of(weights: Path) -> CnnEngine:
    engine = build_engine(ClassificationArgs(engine="cnn", weights=str(weights), device="cpu"))
    assert isinstance(engine, CnnEngine)
    return engine


def crops(number: int) -> list[Image]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, (20 + i, 60 + 31 * i, 3), dtype=np.uint8) for i in range(number)]


def prepared(engine: CnnEngine, images: list[Image]) -> list[Prepared[Image]]:
    return [item for item in engine.prepare(images) if isinstance(item, Prepared)]


def test_folded_pixels_are_those_of_a_pixel_unshuffle() -> None:
    image = torch.arange(2 * 8 * 12, dtype=torch.float32).reshape(2, 1, 8, 12)
    folded = fold_pixels(image, 4)
    assert torch.equal(folded, torch.nn.functional.pixel_unshuffle(image, 4))
    assert folded.is_contiguous(memory_format=torch.channels_last)


def test_fused_normalisations_change_no_score() -> None:
    torch.manual_seed(0)
    model = KindNet(ARCHITECTURE)
    for _ in range(3):
        model(torch.randn(4, 1, 32, 64))
    model.eval()
    pixels = torch.randn(4, 1, 32, 64)
    before = model(pixels)
    fuse_batch_norms(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())
    torch.testing.assert_close(model(pixels), before, rtol=1e-4, atol=1e-5)


def test_a_crop_scores_the_same_alone_and_in_a_batch(weights: Path) -> None:
    engine = engine_of(weights)
    items = prepared(engine, crops(5))
    together = engine.forward(items)
    alone = [engine.forward([item])[0] for item in items]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_the_engine_gives_what_the_network_gives(weights: Path) -> None:
    engine = engine_of(weights)
    (item,) = prepared(engine, crops(1))
    model = KindNet(ARCHITECTURE)
    model.load_state_dict(load_file(weights / "model.safetensors"))
    pixels = (torch.from_numpy(item.payload.astype(np.float32) / 255) - 0.5) / 0.25
    expected = model.eval()(pixels.permute(2, 0, 1)[None])[0].detach().numpy()
    np.testing.assert_allclose(engine.forward([item])[0], expected, rtol=1e-3, atol=1e-4)


def test_an_empty_crop_fails_alone(weights: Path) -> None:
    outcomes = engine_of(weights).prepare([*crops(1), np.zeros((0, 9, 3), np.uint8), *crops(1)])
    assert [isinstance(outcome, UnreadableDocument) for outcome in outcomes] == [False, True, False]


def test_temperature_and_threshold_are_taken_live(weights: Path) -> None:
    engine = engine_of(weights)
    raw = [np.array([2.0, 0.0], np.float32)]

    def outcome(**tuning: float) -> KindScore:
        engine.configure(ClassificationTuning.model_validate(tuning))
        (score,) = engine.finish(raw)
        assert isinstance(score, KindScore)
        return score

    assert outcome().confidence == pytest.approx(1 / (1 + np.exp(-1)))  # the weight's temperature of 2
    assert outcome(temperature=1.0).confidence == pytest.approx(1 / (1 + np.exp(-2)))
    assert outcome().kind == "handwritten"
    assert outcome(handwritten_threshold=0.99).kind == "printed"


def test_warm_up_leaves_an_engine_that_answers(weights: Path) -> None:
    engine = engine_of(weights)
    engine.warm_up()
    outcomes = engine.finish(engine.forward(prepared(engine, crops(3))))
    assert all(isinstance(outcome, KindScore) and 0.5 <= outcome.confidence <= 1 for outcome in outcomes)


def test_weights_of_another_engine_are_refused(weights: Path) -> None:
    metadata = json.loads((weights / "metadata.json").read_text())
    (weights / "metadata.json").write_text(json.dumps(metadata | {"engine": "crnn"}))
    with pytest.raises(WeightsError, match="for engine 'crnn', not 'cnn'"):
        engine_of(weights)


def test_a_folder_without_metadata_is_refused_clearly(weights: Path) -> None:
    (weights / "metadata.json").unlink()
    with pytest.raises(WeightsError, match="metadata"):
        engine_of(weights)


@pytest.mark.parametrize("part", [{"input": INPUT | {"hight_px": 9}}, {"architecture": {"widths": [4, 8]}}])
def test_weights_that_fit_no_network_of_ours_are_named(weights: Path, part: dict[str, object]) -> None:
    metadata = json.loads((weights / "metadata.json").read_text())
    (weights / "metadata.json").write_text(json.dumps(metadata | part))
    with pytest.raises(WeightsError, match=f"weights '{weights}'"):
        engine_of(weights)


def test_tensors_of_another_width_are_named(weights: Path) -> None:
    metadata = json.loads((weights / "metadata.json").read_text())
    metadata["architecture"] = CnnArchitecture().model_dump()
    (weights / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(WeightsError, match="size mismatch"):
        engine_of(weights)
