from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image as PillowImage
from safetensors.torch import save_file

from deployments.classification.clip import ClipEngine
from deployments.classification.config import ClassificationArgs, ClassificationTuning, Prompts
from deployments.classification.engines import build_engine
from deployments.engine import Prepared
from deployments.errors import UnreadableDocument
from deployments.types import Image, Kind, KindScore
from deployments.weights import WeightsError

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
PROMPTS = Prompts(handwritten=("handwriting", "a note by hand"), printed=("printed text",))


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model in the layout of a hub repository, as public ones come: no metadata of ours."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**CONFIG).state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": CONFIG, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def engine_of(weights: str | Path, **args: Any) -> ClipEngine:
    engine = build_engine(ClassificationArgs(engine="clip", weights=str(weights), device="cpu", **args))
    assert isinstance(engine, ClipEngine)
    return engine


def crop(seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8)


def scores(engine: ClipEngine, *images: Image) -> np.ndarray:
    items = [item for item in engine.prepare(images) if isinstance(item, Prepared)]
    return np.stack(engine.forward(items))


def test_scores_are_those_of_open_clip_itself(hub_folder: Path) -> None:
    engine = engine_of(hub_folder)
    engine.configure(ClassificationTuning(prompts=PROMPTS))
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{hub_folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{hub_folder}")
    with torch.inference_mode():
        image = model.encode_image(preprocess(PillowImage.fromarray(crop()))[None], normalize=True)
        by_hand = model.encode_text(tokenizer(list(PROMPTS.handwritten)), normalize=True).mean(0)
        by_machine = model.encode_text(tokenizer(list(PROMPTS.printed)), normalize=True)[0]
        anchors = torch.stack([by_hand / by_hand.norm(), by_machine])
        expected = (model.logit_scale.exp() * image @ anchors.T)[0].numpy()
    np.testing.assert_allclose(scores(engine, crop())[0], expected, rtol=1e-3, atol=1e-3)


def test_swapped_prompts_swap_the_answer_live(hub_folder: Path) -> None:
    engine = engine_of(hub_folder)
    engine.configure(ClassificationTuning(prompts=PROMPTS))
    before = scores(engine, crop())[0]
    swapped = Prompts(handwritten=PROMPTS.printed, printed=PROMPTS.handwritten)
    engine.configure(ClassificationTuning(prompts=swapped))
    np.testing.assert_allclose(scores(engine, crop())[0], before[::-1], rtol=1e-5)


def test_prompts_are_encoded_once(hub_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(hub_folder)
    calls = []
    encode = engine._model.encode_text
    monkeypatch.setattr(engine._model, "encode_text", lambda *a, **k: calls.append(1) or encode(*a, **k))
    scores(engine, crop())
    scores(engine, crop(1), crop(2))
    assert len(calls) == len(Kind)
    engine.configure(ClassificationTuning(prompts=PROMPTS))
    scores(engine, crop())
    assert len(calls) == 2 * len(Kind)


def test_a_public_square_model_takes_long_lines_folded_in_colour(hub_folder: Path) -> None:
    engine = engine_of(hub_folder)
    assert (engine.spec.height_px, engine.spec.width_px, engine.spec.channels) == (32, 32, 3)
    assert engine.spec.max_rows > 1 and not engine.spec.contrast
    assert engine.spec.mean == pytest.approx(MEAN) and engine.spec.std == pytest.approx(STD)


def test_warm_up_then_answers_and_an_empty_crop_fails_alone(hub_folder: Path) -> None:
    engine = engine_of(hub_folder)
    engine.warm_up()
    good, bad = engine.prepare([crop(), np.zeros((4, 0, 3), np.uint8)])
    assert isinstance(bad, UnreadableDocument) and isinstance(good, Prepared)
    (answer,) = engine.finish(engine.forward([good]))
    assert isinstance(answer, KindScore) and 0.5 <= answer.confidence <= 1


def test_our_metadata_sets_input_prompts_and_temperature(hub_folder: Path, tmp_path: Path) -> None:
    for file in hub_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    grey = {"height_px": 32, "width_px": 32, "channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}
    metadata = {"engine": "clip", "format": 1, "input": grey, "prompts": PROMPTS.model_dump()}
    metadata["calibration"] = {"temperature": 4.0}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    engine = engine_of(tmp_path)
    assert engine.spec.contrast
    (answer,) = engine.finish([np.array([4.0, 0.0], np.float32)])
    assert isinstance(answer, KindScore) and answer.confidence == pytest.approx(1 / (1 + np.exp(-1)))
    own = scores(engine, crop())
    engine.configure(ClassificationTuning(prompts=PROMPTS))
    np.testing.assert_allclose(scores(engine, crop()), own)


def test_metadata_with_a_misspelt_key_is_named(hub_folder: Path, tmp_path: Path) -> None:
    for file in hub_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    metadata = {"engine": "clip", "format": 1, "prompts": {"hand": ["a note"]}}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(WeightsError, match=r"(?s)metadata: .*prompts|metadata: .*Prompts"):
        engine_of(tmp_path)


def test_a_tag_and_a_checkpoint_file_load_by_configuration_alone(tmp_path: Path) -> None:
    name = "ViT-S-32-alt"
    torch.manual_seed(0)
    file = tmp_path / "open_clip_model.safetensors"
    save_file(open_clip.create_model(name, load_weights=False).state_dict(), file)
    engine = engine_of(name, pretrained=str(file))
    assert (engine.spec.height_px, engine.spec.width_px) == (224, 224)
    assert scores(engine, crop()).shape == (1, 2)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"weights": "ViT-B-32"}, "needs pretrained, one of: .*laion2b_s34b_b79k"),
        ({"weights": "ViT-B-32", "pretrained": "no-such-tag"}, "no-such-tag"),
        ({"weights": "hf-hub:nobody/nothing"}, "nobody/nothing"),
        ({"weights": "no-such-model"}, "not a shipped name"),
    ],
)
def test_weights_that_cannot_be_had_are_named(args: dict[str, str], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        build_engine(ClassificationArgs(engine="clip", **args))  # type: ignore[arg-type]
