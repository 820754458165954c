"""What an evaluation calls its sets, and that it fails where there is nothing to read."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployments.recognition import engines
from deployments.weights import resolve
from training import recognition
from training.lines_data import Source
from training.recognition_evaluation import set_names


def test_sets_of_one_last_name_are_told_apart(tmp_path: Path) -> None:
    folders = [tmp_path / run / "set-0" / "valid" for run in ("ours", "theirs")]
    for folder in (*folders, tmp_path / "lines"):
        folder.mkdir(parents=True)
        (folder / "lines-00000.jsonl").touch()
    sources = [Source(f"{tmp_path}/*/*/valid"), Source.literal(folders[0]), Source(f"{tmp_path}/lines")]
    assert list(set_names(sources).values()) == ["ours/set-0/valid", "theirs/set-0/valid", "lines"]


@pytest.mark.parametrize("where", ["--valid", "--data"])
def test_an_evaluation_of_nothing_fails_and_leaves_the_card(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "build_engine", lambda args: SimpleNamespace(warm_up=lambda: None))
    weight = tmp_path / "weight"
    shutil.copytree(resolve("crnn-ru-en", "crnn").path, weight)
    before = (weight / "metadata.json").read_bytes()
    arguments = ["evaluate", "--weights", str(weight), "--device", "cpu", "--card", where]
    assert recognition.main([*arguments, str(tmp_path / "mistyped")]) == 1
    assert "mistyped" in capsys.readouterr().err
    assert (weight / "metadata.json").read_bytes() == before
    with pytest.raises(SystemExit, match="nothing to evaluate"):
        recognition.main(arguments[:-1])
