from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from serve_app import preflight
from serve_app.preflight import MIN_FREE_BYTES, obstacle


@pytest.fixture(autouse=True)
def _the_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "port_is_free", lambda host, port: True)


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_full_disk_is_said_with_its_folder(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {str(tmp_path): MIN_FREE_BYTES - 1}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[str(path)]))
    reason = obstacle("127.0.0.1", 8000, {variable: str(tmp_path)})
    assert reason is not None
    assert "No space left" in reason and str(tmp_path) in reason and "99 MiB of the 100 MiB" in reason
    free[str(tmp_path)] += 1
    assert obstacle("127.0.0.1", 8000, {variable: str(tmp_path)}) is None


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    reason = obstacle("127.0.0.1", 8000, {"RAY_TMPDIR": str(tmp_path / "gone")})
    assert reason is not None and "No such file or directory" in reason


def test_a_port_in_use_comes_with_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "port_is_free", lambda host, port: False)
    reason = obstacle("127.0.0.1", 8000, {})
    assert reason is not None and "port 8000 of 127.0.0.1 is in use" in reason and "PORT=8001" in reason
