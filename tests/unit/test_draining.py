from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from serve_app.draining import VARIABLE, Gate, drain
from tests.api_client import PNG, assert_problem, serving
from tests.readers import InkReader


def test_with_nothing_in_hand_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    gates = [Gate(tmp_path), Gate(tmp_path)]
    for gate in gates:
        assert gate.enter()
        gate.leave()
    assert drain(tmp_path, 0)
    assert not any(gate.enter() for gate in gates)


def test_requests_in_hand_of_any_process_are_waited_for(tmp_path: Path) -> None:
    first, second = Gate(tmp_path), Gate(tmp_path)
    assert first.enter() and first.enter() and second.enter()
    assert not drain(tmp_path, 0)
    first.leave()
    second.leave()
    assert not drain(tmp_path, 0)
    first.leave()
    assert drain(tmp_path, 0)


def test_a_folder_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    cleaned = tmp_path / "scriptorium.old"
    assert Gate(cleaned).enter()
    shutil.rmtree(cleaned)
    assert Gate(cleaned).enter()
    shutil.rmtree(cleaned)
    assert drain(cleaned, 0)


async def test_what_is_in_hand_is_answered_and_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    reader = InkReader(gate=asyncio.Event())
    assert reader.gate is not None
    async with serving(reader) as client:
        asked = asyncio.ensure_future(client.post("/ocr", content=PNG))
        await reader.started.wait()
        assert not drain(tmp_path, 0)
        refused = await client.post("/ocr", content=PNG)
        assert_problem(refused, 503, "stopping")
        assert refused.headers["retry-after"] == "10"
        unready = await client.get("/readyz")
        assert_problem(unready, 503, "stopping")
        assert "stages" not in unready.json() and unready.headers["retry-after"] == "10"
        assert (await client.get("/healthz")).status_code == 200
        reader.gate.set()
        assert (await asked).status_code == 200
    assert drain(tmp_path, 0)
