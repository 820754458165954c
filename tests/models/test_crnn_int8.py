"""The CRNN's convolutions in 8-bit integers: as the real ones, and the same to the last bit in any batch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from deployments.engine import Prepared
from deployments.recognition import crnn, crnn_int8
from deployments.recognition.config import RecognitionArgs
from deployments.recognition.crnn import CrnnEngine
from deployments.recognition.crnn_int8 import PEAKS, Int8Convolutions
from deployments.recognition.crnn_network import CrnnArchitecture, CrnnNetwork
from deployments.recognition.preprocess import INK_MAX, INK_MIN
from deployments.types import Kind
from deployments.weights import METADATA, SHIPPED, WeightsError
from training import recognition
from training.crnn_peaks import measure_peaks
from training.synth.lines import LineSample
from training.synth.shards import write_shard

WEIGHTS = "crnn-ru-en"
BLOCKS = 7

needs_vnni = pytest.mark.skipif(not crnn_int8.is_supported(), reason="this processor has no VNNI")


def ink(width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(INK_MIN, INK_MAX, (32, width)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> CrnnNetwork:
    torch.manual_seed(0)
    return CrnnNetwork(CrnnArchitecture(symbols=9, channels=(16, 16, 32, 32), rnn_width=16)).eval().fuse()


@pytest.fixture(scope="module")
def quantised(network: CrnnNetwork) -> Int8Convolutions:
    lines = [Prepared(ink(width, width), 32, width) for width in (64, 128, 256)]
    return Int8Convolutions(network, measure_peaks(network, lines), torch.float32)


@needs_vnni
@torch.inference_mode()
def test_columns_are_those_of_the_network(network: CrnnNetwork, quantised: Int8Convolutions) -> None:
    images = torch.from_numpy(np.stack([ink(160, 1), ink(160, 2)]))[:, None]
    expected, found = network.convolve(images), quantised(images)
    assert found.shape == expected.shape and found.dtype == torch.float32
    assert (found - expected).norm() / expected.norm() < 0.03


@needs_vnni
@torch.inference_mode()
def test_a_line_is_the_same_to_the_last_bit_beside_a_longer_one(quantised: Int8Convolutions) -> None:
    batch = torch.rand(3, 1, 32, 256)
    together = quantised(batch, torch.tensor([96, 256, 160]))
    for line, width in enumerate((96, 256, 160)):
        alone = quantised(batch[line : line + 1, :, :, :width])
        assert torch.equal(together[line, :, :, : width // 4], alone[0])
        assert not together[line, :, :, width // 4 :].any()


@pytest.mark.parametrize("peaks", [[1.0] * 6, [1.0] * 6 + [0.0], [1.0] * 6 + ["much"], 3, [float("nan")] * 7])
def test_peaks_that_do_not_fit_are_refused(tmp_path: Path, peaks: object) -> None:
    with pytest.raises(WeightsError, match=f"{WEIGHTS}'"):
        CrnnEngine(RecognitionArgs(weights=str(with_peaks(tmp_path, peaks)), device="cpu"))


@pytest.mark.parametrize(
    ("capabilities", "supported"),
    [({}, False), ({"avx2": True, "avx512_vnni": False}, False), ({"avx_vnni": True}, True)],
)
def test_a_processor_without_vnni_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], supported: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert crnn_int8.is_supported() is supported


@needs_vnni
@pytest.mark.parametrize(("seconds", "taken"), [(0.0, True), (1e9, False)])
def test_they_are_taken_where_they_are_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, taken: bool
) -> None:
    monkeypatch.setattr(crnn, "processor_time_s", lambda _step: seconds)
    engine = CrnnEngine(RecognitionArgs(weights=str(with_peaks(tmp_path, [8.0] * BLOCKS)), device="cpu"))
    engine.warm_up()
    assert isinstance(engine._convolve, Int8Convolutions) is taken


@pytest.mark.parametrize(("peaks", "supported"), [([], True), ([8.0] * BLOCKS, False)])
def test_without_peaks_or_processor_all_stays_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peaks: list[float], supported: bool
) -> None:
    monkeypatch.setattr(crnn, "is_supported", lambda: supported)
    engine = CrnnEngine(RecognitionArgs(weights=str(with_peaks(tmp_path, peaks)), device="cpu"))
    engine.warm_up()
    assert not isinstance(engine._convolve, Int8Convolutions)


def test_peaks_are_measured_and_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, lines = with_peaks(tmp_path, []), tmp_path / "lines"
    lines.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (48, 300)).astype(np.uint8)
    write_shard(lines, 0, [LineSample(noise, "шум", Kind.PRINTED, "ru")] * 3)
    assert recognition.main(["calibrate", "--weights", str(weights), "--source", str(lines)]) == 0
    metadata = json.loads((weights / METADATA).read_text(encoding="utf-8"))
    assert len(metadata[PEAKS]) == BLOCKS and all(peak > 0 for peak in metadata[PEAKS])
    engine = CrnnEngine(RecognitionArgs(weights=str(weights), device="cpu"))
    assert engine._peaks == tuple(metadata[PEAKS])
    assert f"{metadata[PEAKS][0]:g}" in capsys.readouterr().out


def test_a_calibration_without_lines_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["calibrate", "--weights", str(with_peaks(tmp_path, [])), "--source", str(tmp_path / "none")]
    assert recognition.main(arguments) == 1
    assert "no lines to measure activations on" in capsys.readouterr().err


def with_peaks(folder: Path, peaks: object) -> Path:
    """A copy of the shipped weight with these peaks in its metadata; none where they are empty."""
    target = folder / WEIGHTS
    shutil.copytree(SHIPPED / WEIGHTS, target)
    metadata = json.loads((target / METADATA).read_text(encoding="utf-8"))
    metadata.pop(PEAKS, None)
    (target / METADATA).write_text(json.dumps(metadata | ({PEAKS: peaks} if peaks else {})), encoding="utf-8")
    return target
