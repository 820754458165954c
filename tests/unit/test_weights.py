from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from deployments.weights import WeightsError, resolve, sha256, shipped_names


def ship(root: Path, name: str = "tiny", **changes: Any) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    model = folder / "model.safetensors"
    save_file({"weight": np.ones(3, np.float32)}, model)
    metadata = {"engine": "crnn", "format": 1, "sha256": {model.name: sha256(model)}} | changes
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def test_shipped_name_wins_and_carries_metadata(tmp_path: Path) -> None:
    folder = ship(tmp_path)
    weights = resolve("tiny", "crnn", root=tmp_path)
    assert weights.file("model.safetensors") == folder / "model.safetensors"
    assert weights.metadata["engine"] == "crnn"
    assert shipped_names(tmp_path) == ["tiny"]


def test_path_of_a_folder_and_of_a_single_file(tmp_path: Path) -> None:
    folder = ship(tmp_path / "elsewhere")
    assert resolve(str(folder), "crnn", root=tmp_path).directory == folder
    single = tmp_path / "best.pt"
    single.write_bytes(b"x")
    weights = resolve(str(single), "yolo", root=tmp_path)
    assert weights.directory is None and weights.file("best.pt") == single


def test_unknown_name_lists_what_is_shipped(tmp_path: Path) -> None:
    ship(tmp_path)
    with pytest.raises(WeightsError, match=r"'tiyn'.*shipped name \(tiny\)"):
        resolve("tiyn", "crnn", root=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "trocr"}, "are for engine 'trocr', not 'crnn'"),
        ({"format": 2}, "format 2, this version reads 1"),
        ({"sha256": {"model.safetensors": "0" * 64}}, "does not match its sha256"),
        ({"sha256": {"absent.bin": "0" * 64}}, "absent.bin is missing"),
    ],
)
def test_weights_that_contradict_their_metadata(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    ship(tmp_path, **changes)
    with pytest.raises(WeightsError, match=message):
        resolve("tiny", "crnn", root=tmp_path)


def test_broken_metadata_is_named(tmp_path: Path) -> None:
    (ship(tmp_path) / "metadata.json").write_text("{")
    with pytest.raises(WeightsError, match="is not JSON"):
        resolve("tiny", "crnn", root=tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    ship(tmp_path)
    with pytest.raises(WeightsError, match=r"no file 'config\.json'"):
        resolve("tiny", "crnn", root=tmp_path).file("config.json")


@pytest.mark.parametrize("left", [0, 5, -1])
def test_tensors_that_were_cut_off_are_named(tmp_path: Path, left: int) -> None:
    """Also where no checksum is known, as of checkpoints in the hub's format."""
    model = ship(tmp_path, sha256={}) / "model.safetensors"
    model.write_bytes(model.read_bytes()[:left])
    with pytest.raises(WeightsError, match=r"'tiny': model\.safetensors is damaged"):
        resolve("tiny", "crnn", root=tmp_path)
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        resolve(str(model), "crnn", root=tmp_path)


def test_hub_id_without_network_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"no such path below .* the hub gave nothing"):
        resolve("nobody/nothing-here", "trocr", root=tmp_path)


def test_hub_id_in_the_cache_is_read_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--someone--reader"
    ship(repo / "snapshots", commit, engine="trocr")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    weights = resolve("someone/reader", "trocr", root=tmp_path)
    assert weights.file("model.safetensors") == repo / "snapshots" / commit / "model.safetensors"
