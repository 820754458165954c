"""The CRNN: what a line reads as depends on nothing but the line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments.engine import Prepared
from deployments.errors import OcrError, UnreadableDocument
from deployments.recognition.charset import Charset
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.crnn import CrnnEngine
from deployments.recognition.crnn_network import STRIDE_PX, CrnnArchitecture, CrnnNetwork
from deployments.recognition.decode import LinePosteriors
from deployments.recognition.engines import build_engine
from deployments.recognition.second_look import certainty, mean_posteriors, with_paper_below
from deployments.types import Reading
from deployments.weights import METADATA, WeightsError, sha256
from training.mixing import Mix
from training.recognition_export import export_crnn
from training.recognition_models import TrainableCrnn
from training.recognition_training import Recipe, Training

TINY = CrnnArchitecture(symbols=len(Charset()), channels=(8, 8, 16, 16), rnn_width=16)


def network(seed: int = 0) -> CrnnNetwork:
    """A random network whose normalisation is not the identity, so that padding could leak."""
    torch.manual_seed(seed)
    net = CrnnNetwork(TINY)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.3, 0.3)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    for name, parameter in net.named_parameters():
        if name.endswith("norm.bias"):
            torch.nn.init.uniform_(parameter, 0.1, 0.5)
    return net.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported weight of the shipped shape with random values."""
    folder = tmp_path_factory.mktemp("crnn")
    shards = folder / "lines"
    write_noise_shard(shards)
    reader = TrainableCrnn(TINY)
    recipe = Recipe(sources=(source(shards),), steps=1)
    Training(reader, recipe, folder / "run", torch.device("cpu")).run()
    export_crnn(folder / "run", folder / "weight")
    return folder / "weight"


def write_noise_shard(folder: Path) -> None:
    from deployments.types import Kind
    from training.synth.lines import LineSample
    from training.synth.shards import write_shard

    folder.mkdir()
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (48, 200)).astype(np.uint8)
    write_shard(folder, 0, [LineSample(image, "шум", Kind.PRINTED, "ru")] * 4)


def source(folder: Path):  # type: ignore[no-untyped-def]
    from training.lines_data import Source

    return Source(str(folder))


def crops(*widths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, (40, width, 3)).astype(np.uint8) for width in widths]


def test_one_step_of_time_is_four_pixels() -> None:
    with torch.inference_mode():
        logits = network()(torch.rand(2, 1, 32, 96))
    assert logits.shape == (2, 96 // STRIDE_PX, TINY.symbols)
    assert logits.dtype == torch.float32


def test_a_line_reads_the_same_alone_and_padded_beside_a_longer_one() -> None:
    net = network()
    short, long = torch.rand(1, 32, 64), torch.rand(1, 32, 256)
    batch = torch.zeros(2, 1, 32, 256)
    batch[0, :, :, :64], batch[1] = short, long
    with torch.inference_mode():
        together = net(batch, torch.tensor([64, 256]))
        alone = net(short[None])
        other = net(long[None])
    torch.testing.assert_close(together[0, :16], alone[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together[1], other[0], atol=1e-5, rtol=1e-4)


def test_without_own_widths_padding_would_change_the_line() -> None:
    net = network()
    short = torch.rand(1, 32, 64)
    padded = torch.nn.functional.pad(short, (0, 192))
    with torch.inference_mode():
        difference = (net(padded[None])[0, :16] - net(short[None])[0]).abs().max()
    assert difference > 1e-3


def test_folding_the_normalisation_changes_nothing() -> None:
    images = torch.rand(1, 1, 32, 96)
    with torch.inference_mode():
        expected = network()(images)
        torch.testing.assert_close(network().fuse()(images), expected, atol=1e-5, rtol=1e-4)


def test_heights_that_do_not_halve_to_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        CrnnNetwork(CrnnArchitecture(symbols=10, height_px=40))


def read(engine: CrnnEngine, images: list[np.ndarray]) -> list[Reading]:
    prepared = [item for item in engine.prepare(images) if isinstance(item, Prepared)]
    readings = engine.finish(engine.forward(prepared))
    assert not any(isinstance(reading, OcrError) for reading in readings)
    return [reading for reading in readings if isinstance(reading, Reading)]


def test_the_engine_answers_in_order_whatever_the_batch(weights: Path) -> None:
    engine = CrnnEngine(RecognitionArgs(weights=str(weights), device="cpu"))
    images = crops(100, 700, 40, 300)
    together = read(engine, images)
    alone = [read(engine, [image])[0] for image in images]
    assert [r.text for r in together] == [r.text for r in alone]
    assert [r.confidence for r in together] == pytest.approx([r.confidence for r in alone], abs=1e-4)


def test_only_lines_below_the_bound_are_looked_at_again(weights: Path) -> None:
    engine = CrnnEngine(RecognitionArgs(weights=str(weights), device="cpu"))
    lines = [item for item in engine.prepare(crops(100, 700, 300)) if isinstance(item, Prepared)]
    engine.configure(RecognitionTuning(second_look=0))
    once = [line.steps for line in engine.forward(lines)]
    below = [replace(line, payload=with_paper_below(line.payload)) for line in lines]
    again = [line.steps for line in engine.forward(below)]
    sure = sorted(certainty(steps) for steps in once)
    engine.configure(RecognitionTuning(second_look=(sure[1] + sure[2]) / 2))
    for line, first, second in zip(engine.forward(lines), once, again, strict=True):
        expected = first if certainty(first) == sure[2] else mean_posteriors([first, second])
        np.testing.assert_allclose(line.steps, expected, atol=1e-5)
        assert line.steps.shape == first.shape
        assert len(line.looks) == (0 if certainty(first) == sure[2] else 3)


def test_the_language_model_decides_live_and_only_where_it_is_asked(weights: Path) -> None:
    engine = CrnnEngine(RecognitionArgs(weights=str(weights), device="cpu"))
    unsure = LinePosteriors(posteriors_of("информац", "ин"), 18.0)
    (beam,) = engine.finish([unsure])
    engine.configure(RecognitionTuning(decoding="greedy"))
    (greedy,) = engine.finish([unsure])
    assert isinstance(beam, Reading) and isinstance(greedy, Reading)
    assert (beam.text, greedy.text) == ("информаци", "информацн")
    assert beam.char_confidences[-1] == pytest.approx(0.45)
    assert [span[0] for span in beam.char_spans] == pytest.approx([span[0] for span in greedy.char_spans])
    alone = CrnnEngine(RecognitionArgs(weights=str(weights), device="cpu", language_model=""))
    (without,) = alone.finish([unsure])
    assert without == greedy


def posteriors_of(sure: str, open_between: str) -> np.ndarray:
    """Steps of a charset's symbols: sure ones, and one that is the second symbol a little likelier."""
    charset = Charset()
    rows = np.zeros((2 * len(sure) + 2, len(charset)), np.float32)
    for number, symbol in enumerate(sure):
        rows[2 * number, charset.index(symbol)] = rows[2 * number + 1, 0] = 1
    rows[-2, charset.index(open_between[0])], rows[-2, charset.index(open_between[1])] = 0.45, 0.55
    rows[-1, 0] = 1
    return rows


def test_a_weight_is_exported_as_a_mean_of_what_it_was_and_what_it_learned(
    weights: Path, tmp_path: Path
) -> None:
    run = weights.parent / "run"
    metadata = export_crnn(run, tmp_path / "mixed", mix=Mix.parse(f"{weights}=0.25"))
    assert (metadata["training"]["mixed_with"], metadata["training"]["share"]) == ("weight", 0.25)
    other = {name: value + 1 for name, value in load_file(weights / "model.safetensors").items()}
    folder = damaged(weights, tmp_path / "other")
    save_file(other, folder / "model.safetensors")
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["sha256"] = {"model.safetensors": sha256(folder / "model.safetensors")}
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    export_crnn(run, tmp_path / "moved", mix=Mix(str(folder), 0.25))
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("mixed", "moved"))
    name = "head.weight"
    torch.testing.assert_close(after[name].float(), before[name].float() + 0.25, atol=0.01, rtol=0.01)


def test_a_weight_of_another_build_is_not_mixed_in(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not of the network that was trained"):
        export_crnn(weights.parent / "run", tmp_path / "mixed", mix=Mix("crnn-ru-en", 0.5))


@pytest.mark.parametrize("text", ["crnn-ru-en", "crnn-ru-en=0", "crnn-ru-en=1.5", "crnn-ru-en=half", "=0.5"])
def test_a_mix_names_a_weight_and_its_share(text: str) -> None:
    with pytest.raises(ValueError):
        Mix.parse(text)


def test_an_unreadable_crop_fails_alone(weights: Path) -> None:
    engine = CrnnEngine(RecognitionArgs(weights=str(weights), device="cpu"))
    good, empty = crops(80)[0], np.zeros((20, 0, 3), np.uint8)
    outcomes = engine.prepare([good, empty, good])
    assert isinstance(outcomes[1], UnreadableDocument)
    assert isinstance(outcomes[0], Prepared) and isinstance(outcomes[2], Prepared)


def test_warm_up_settles_a_format_and_readings_stay_sane(weights: Path) -> None:
    engine = build_engine(RecognitionArgs(weights=str(weights), device="cpu"))
    engine.warm_up()
    engine.configure(RecognitionTuning(script_consistency=False))
    assert isinstance(engine, CrnnEngine)
    reading = read(engine, crops(200))[0]
    assert 0 <= reading.confidence <= 1
    assert len(reading.char_confidences) == len(reading.text)


def damaged(weights: Path, target: Path, **changes: object) -> Path:
    """A copy of the weight with metadata sections replaced."""
    target.mkdir()
    save_file(load_file(weights / "model.safetensors"), target / "model.safetensors")
    metadata = json.loads((weights / METADATA).read_text(encoding="utf-8")) | changes
    metadata["sha256"] = {"model.safetensors": sha256(target / "model.safetensors")}
    (target / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": {"charset": "abc"}}, "185 outputs for 4 symbols"),
        (
            {"architecture": {"symbols": 185, "channels": [8, 8, 16, 32], "rnn_width": 16}},
            "do not fit the CRNN",
        ),
        ({"architecture": {"symbols": 185, "depth": 3}}, "do not fit the CRNN"),
        ({"input": {}}, "do not fit the CRNN"),
        ({"input": {"charset": "abc", "deskewed": True}}, "do not fit the CRNN: .*'deskewed'"),
        ({"engine": "trocr"}, "for engine 'trocr'"),
    ],
)
def test_weights_that_do_not_fit_say_so(
    weights: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    folder = damaged(weights, tmp_path / "weight", **changes)
    with pytest.raises(WeightsError, match=message):
        CrnnEngine(RecognitionArgs(weights=str(folder), device="cpu"))


def test_a_device_the_machine_lacks_is_named(weights: Path) -> None:
    with pytest.raises(ValueError, match="cuda:63"):
        CrnnEngine(RecognitionArgs(weights=str(weights), device="cuda:63"))
