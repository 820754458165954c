from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from benchmarks import audit


def answers(monkeypatch: pytest.MonkeyPatch, dependencies: list[dict[str, Any]] | None) -> None:
    output = "no network" if dependencies is None else json.dumps({"dependencies": dependencies})
    done = subprocess.CompletedProcess([], 1, output, "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)


SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
UNKNOWN = {"name": "ray", "skip_reason": "not found"}
BAD = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.0"]}]}


@pytest.mark.parametrize(
    ("dependencies", "code", "says"),
    [
        (None, 0, "SKIPPED"),
        ([UNKNOWN], 0, "SKIPPED"),
        ([SOUND, UNKNOWN], 0, "1 checked, 1 not, 0 vulnerable"),
        ([SOUND, BAD], 1, r"pillow 1.0: CVE-1 (fixed in 2.0)"),
    ],
)
def test_vulnerabilities_fail_and_a_missing_network_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dependencies: list[dict[str, Any]] | None,
    code: int,
    says: str,
) -> None:
    answers(monkeypatch, dependencies)
    assert audit.main([]) == code
    assert says in capsys.readouterr().out
