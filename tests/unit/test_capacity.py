from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster import capacity
from cluster.capacity import Demand, Measured, Placement, StageTimes, newest_result, plan, read_result

WHERE = {
    "detection": Placement("Detection", num_cpus=1, num_gpus=0.3, per_node=1),
    "recognition": Placement("RecognitionCrnn", num_cpus=1.5, num_gpus=0.25, per_node=2),
}


def measured(*, on_gpu: bool = True, efficiency: float = 1.0) -> Measured:
    stages = {
        "detection": StageTimes(model_s=0.010, processor_s=0.002, per_line=False),
        "recognition": StageTimes(model_s=0.020, processor_s=0.060, per_line=True),
    }
    return Measured("a.json", "a machine", on_gpu, 40.0, efficiency, True, stages)


def result(**changes: Any) -> dict[str, Any]:
    times = {"prepare_ms": 1.0, "forward_ms": 10.0, "finish_ms": 2.0}
    limit = {"crops_per_page": 40, "stages": {"detection": times, "recognition": times}}
    return {"machine": {"processor": "P", "cores": 2}, "systems": {"limit": limit}} | changes


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_replicas_carry_the_busier_of_model_and_processor() -> None:
    found = plan(measured(), Demand(pages_per_s=40, lines_per_page=40), WHERE)
    detection, recognition = found.stages
    # 40 pages/s x 10 ms = 0.4 of a model, at 80 %.
    assert (detection.replicas, detection.bound_by) == (1, "model")
    # 40 x 60 ms = 2.4 processors, 1.5 a replica: 1.6 replicas, at 80 % two.
    assert (recognition.replicas, recognition.bound_by) == (2, "processor")
    assert found.cores == pytest.approx(40 * 0.062 / 0.8)


def test_lines_cost_recognition_and_not_detection() -> None:
    few, many = (plan(measured(), Demand(100, lines), WHERE).stages for lines in (40, 160))
    assert many[0].replicas == few[0].replicas
    assert many[1].replicas == 4 * few[1].replicas


def test_stages_on_one_card_share_its_time() -> None:
    # 100 pages/s x 30 ms = 3 cards' time at 80 %: 4 cards, though neither stage needs so many alone.
    where = {stage: Placement(each.name, 100, 0.25, 4) for stage, each in WHERE.items()}
    found = plan(measured(), Demand(100, 40), where)
    assert max(stage.nodes for stage in found.stages) < 4
    assert found.nodes == 4 + 1
    assert plan(measured(on_gpu=False), Demand(100, 40), where).nodes < 4


def test_what_the_service_does_not_reach_of_the_limit_is_added() -> None:
    full, half = (plan(measured(efficiency=share), Demand(200, 40), WHERE) for share in (1.0, 0.5))
    assert half.cores == pytest.approx(2 * full.cores)


def test_a_result_is_read(tmp_path: Path) -> None:
    trials = {"median": 0.9, "min": 0.8, "max": 1.0, "values": [0.8, 0.9, 1.0]}
    content = result(ratios={"served_over_limit": trials}, machine={"gpu": "G", "cores": 16}, device="cuda")
    content["systems"]["limit"]["crops_per_page"] = {"median": 40, "values": [40]}
    found = read_result(write(tmp_path / "r.json", content))
    assert (found.efficiency, found.efficiency_is_measured, found.on_gpu) == (0.9, True, True)
    assert found.stages["recognition"] == StageTimes(0.010, pytest.approx(0.003), per_line=True)
    assert found.machine == "G, 16 cores"


def test_without_a_measured_share_of_the_limit_one_is_assumed_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "r.json", result())
    assert capacity.main(["--pages-per-s", "5", "--result", str(path), "--node-price", "3"]) == 2
    content = result()
    stages = content["systems"]["limit"]["stages"]
    stages["classification"] = stages["detection"]
    write(path, content)
    assert capacity.main(["--pages-per-s", "5", "--result", str(path), "--node-price", "3"]) == 0
    said = capsys.readouterr().out
    assert "80% (assumed, not measured)" in said and "without a GPU" in said and "an hour" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pages-per-s", "0"], "more than none"),
        (["--pages-per-s", "1", "--result", "no-such.json"], "no-such.json"),
    ],
)
def test_bad_input_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert capacity.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_results_without_stage_times_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "RESULTS", tmp_path)
    assert newest_result() == capacity.DEFAULT_RESULT
    older = write(tmp_path / "speed-20260101T000000Z.json", result())
    write(tmp_path / "speed-20260102T000000Z.json", {"sets": {}})
    write(tmp_path / "speed-quick-20260103T000000Z.json", result())
    assert newest_result() == older


def test_the_shipped_figures_and_configuration_fit_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_result(capacity.DEFAULT_RESULT).stages.keys() == {
        "detection",
        "classification",
        "recognition",
    }
    assert capacity.main(["--pages-per-s", "50", "--result", str(capacity.DEFAULT_RESULT)]) == 0
    assert "RecognitionCrnn" in capsys.readouterr().out
