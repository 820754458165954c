from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.capacity import measured as results
from cluster.capacity.__main__ import CONFIG, main
from cluster.capacity.demand import Demand, demand_of_mix, parse_mix
from cluster.capacity.measured import (
    DEFAULT_RESULT,
    ROOT,
    Measured,
    Served,
    StageTimes,
    newest_result,
    read_result,
)
from cluster.capacity.plan import (
    Placement,
    allowed_nodes,
    carried_pages_per_s,
    fractions,
    placements,
    plan,
)
from cluster.capacity.report import comparison, warnings

WHERE = {
    "ocringress": Placement("OcrIngress", num_cpus=2, num_gpus=0, per_node=1),
    "detection": Placement("Detection", num_cpus=1, num_gpus=0.3, per_node=1),
    "recognition": Placement("RecognitionCrnn", num_cpus=1.5, num_gpus=0.25, per_node=2),
}
STAGES = {
    "detection": StageTimes(model_s=0.010, processor_s=0.002, per_line=False),
    "recognition": StageTimes(model_s=0.020, processor_s=0.060, per_line=True),
}


def measured(*, on_gpu: bool = True, efficiency: float = 1.0, served: Served | None = None) -> Measured:
    return Measured("a.json", "a machine", on_gpu, 40.0, efficiency, True, STAGES, served=served)


def result(**changes: Any) -> dict[str, Any]:
    times = {"prepare_ms": 1.0, "forward_ms": 10.0, "finish_ms": 2.0}
    stages = dict.fromkeys(("detection", "classification", "recognition"), times)
    limit = {"crops_per_page": 40, "stages": stages}
    return {"machine": {"processor": "P", "cores": 2}, "systems": {"limit": limit}} | changes


def trials(value: float) -> dict[str, Any]:
    return {"median": value, "min": 0.9 * value, "max": 1.1 * value, "values": [value]}


def served_result() -> dict[str, Any]:
    """A full result: two processes of 39 ms a page in the limit, and a service at 0.8 of that."""
    content = result(ratios={"served_over_limit": 0.8}, seconds=10)
    content["systems"]["limit"] |= {"pages_s": trials(50.0), "processes": trials(2)}
    processes = {
        "ray::ServeReplica:scriptorium:OcrIngress": {"cpu_s": trials(2.0)},
        "python serve_app.decoding.worker 37": {"cpu_s": trials(0.05)},
        "ray::ServeReplica:scriptorium:Detection": {"cpu_s": trials(9.0)},
    }
    load = {"pages_s": trials(41.0), "cpu_ms_per_page": trials(47.0), "processes": processes}
    content["systems"]["served"] = {"closed": {"4": {}, "64": load}}
    return content


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
    assert (found.cards, found.nodes) == (pytest.approx(3.75), 4 + 1)
    assert plan(measured(on_gpu=False), Demand(100, 40), where).nodes < 4


def test_fractions_follow_what_the_models_take_of_a_card() -> None:
    # A third and two thirds of the time, the latter in two replicas a node.
    found = plan(measured(), Demand(100, 40), WHERE)
    assert fractions(found, WHERE) == {"Detection": 0.3, "RecognitionCrnn": 0.35}
    many = {name: Placement(each.name, 1, 0, 4) for name, each in WHERE.items()}
    shared = fractions(plan(measured(), Demand(100, 40), many), many)
    assert 4 * sum(shared.values()) <= 1


def test_more_nodes_than_the_configuration_allows_are_said() -> None:
    # Three nodes for detection, two for two recognisers each: two nodes can hold a set.
    where = {stage: replace(each, max_replicas=3) for stage, each in WHERE.items()}
    assert allowed_nodes(where) == 2 and allowed_nodes(WHERE) is None
    few, many = (plan(measured(), Demand(pages, 40), where) for pages in (10, 100))
    assert few.nodes == 2 and not warnings(measured(), few, where)
    (warning,) = warnings(measured(), many, where)
    assert "room for 2 nodes" in warning and not warnings(measured(), many, WHERE)


@pytest.mark.parametrize("on_gpu", [True, False])
def test_times_of_another_kind_of_machine_are_said(on_gpu: bool) -> None:
    without = {stage: replace(each, num_gpus=0) for stage, each in WHERE.items()}
    fitting, other = (WHERE, without) if on_gpu else (without, WHERE)
    times = measured(on_gpu=on_gpu)
    found = plan(times, Demand(10, 40), WHERE)
    assert not warnings(times, found, fitting)
    (warning,) = warnings(times, found, other)
    assert "measure on such a machine" in warning


def test_the_ingress_is_planned_from_what_it_took_in_the_service() -> None:
    served = Served(pages_per_s=40, processor_s=0.1, ingress_s=0.010)
    found = plan(measured(served=served, efficiency=0.5), Demand(400, 40), WHERE)
    (ingress,) = [stage for stage in found.stages if stage.name == "OcrIngress"]
    # 400 x 10 ms = 4 processors, two a replica, at 80 %: three replicas.
    assert (ingress.replicas, ingress.nodes, ingress.bound_by) == (3, 3, "processor")
    assert found.cores == pytest.approx(400 * 0.062 / 0.4 + 4 / 0.8)


def test_what_the_service_does_not_reach_of_the_limit_is_added() -> None:
    full, half = (plan(measured(efficiency=share), Demand(200, 40), WHERE) for share in (1.0, 0.5))
    assert half.cores == pytest.approx(2 * full.cores)


def test_a_mix_of_documents_is_a_load_of_pages_and_lines() -> None:
    demand = demand_of_mix(20, parse_mix("letter=0.7:1x25, contract=0.3:12x45"))
    assert demand.pages_per_document == pytest.approx(0.7 + 0.3 * 12)
    assert demand.pages_per_s == pytest.approx(20 * 4.3)
    assert demand.lines_per_page == pytest.approx((0.7 * 25 + 0.3 * 12 * 45) / 4.3)
    assert demand_of_mix(20, parse_mix("a=7:1x25,b=3:12x45")).pages_per_s == pytest.approx(demand.pages_per_s)


def test_a_result_is_read(tmp_path: Path) -> None:
    content = result(
        ratios={"served_over_limit": trials(0.9)}, machine={"gpu": "G", "cores": 16}, device="cuda"
    )
    content["systems"]["limit"]["crops_per_page"] = trials(40)
    found = read_result(write(tmp_path / "r.json", content))
    assert (found.efficiency, found.efficiency_is_measured, found.on_gpu) == (0.9, True, True)
    assert found.stages["recognition"] == StageTimes(0.010, pytest.approx(0.003), per_line=True)
    assert (found.machine, found.served) == ("G, 16 cores", None)


@pytest.mark.parametrize(("device", "model_s"), [("cpu", 0.005), ("cuda", 0.010)])
def test_on_processors_stages_take_processor_time(tmp_path: Path, device: str, model_s: float) -> None:
    """39 ms a page on the clock, half of it waiting for a core: what counts is the time at work."""
    content = result(device=device)
    content["systems"]["limit"]["cpu_ms_per_page"] = trials(19.5)
    found = read_result(write(tmp_path / "r.json", content))
    assert found.stages["detection"] == StageTimes(
        pytest.approx(model_s), pytest.approx(0.3 * model_s), per_line=False
    )


@pytest.mark.parametrize(
    "change",
    [
        {"ratios": {"served_over_limit": {"median": 0}}},
        {"systems": {"limit": {"stages": {}}}},
        {"seconds": None},
    ],
)
def test_a_result_that_nothing_can_be_planned_from_is_said(
    tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "r.json", served_result() | change)
    assert main(["--pages-per-s", "1", "--result", str(path)]) == 2
    said = capsys.readouterr().err
    assert "r.json has no stage times that make sense" in said and said.count("\n") == 1


def test_what_the_service_took_is_read(tmp_path: Path) -> None:
    found = read_result(write(tmp_path / "r.json", served_result()))
    assert found.served == Served(41.0, 0.047, pytest.approx(2.05 / 410))
    assert (found.processes, found.limit_pages_per_s) == (2, 50.0)
    assert carried_pages_per_s(found) == pytest.approx(2 / 0.039 * 0.8)
    said = comparison(found)
    assert "41.00 measured, 41.03 by the plan" in said
    assert "stages 39, ingress 5, calls, Ray and what is cut of full batches 3" in said


def committed_results() -> Iterator[Measured]:
    """Results of the benchmark in which the service was measured as well."""
    for path in sorted(results.RESULTS.glob("20*.json")):
        with contextlib.suppress(ValueError):
            found = read_result(path)
            if found.served:
                yield found


def test_the_plan_agrees_with_the_benchmarks_that_it_is_made_of() -> None:
    """Stage times taken apart give the throughput that was measured as a whole."""
    for found in committed_results():
        assert found.served is not None
        limit = carried_pages_per_s(found) / found.efficiency
        assert limit == pytest.approx(found.limit_pages_per_s, rel=0.2), found.source
        assert carried_pages_per_s(found) == pytest.approx(found.served.pages_per_s, rel=0.2), found.source


def test_without_a_measured_share_of_the_limit_one_is_assumed_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "r.json", result())
    assert main(["--pages-per-s", "5", "--result", str(path), "--node-price", "3"]) == 0
    said = capsys.readouterr().out
    assert "80% (assumed, not measured)" in said and "without a GPU" in said and "an hour" in said
    assert "ingress         not measured" in said


def test_documents_of_a_mix_on_a_card_have_a_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "r.json", {**served_result(), "device": "cuda"})
    arguments = ["--documents-per-s", "20", "--mix", "book=1:100x40", "--node-price", "2"]
    assert main([*arguments, "--result", str(path)]) == 0
    said = capsys.readouterr().out
    assert "20 documents/s, 2000 pages/s of 40 lines" in said
    assert "cards at work; num_gpus of a replica by use: Detection" in said and "thousand documents" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pages-per-s", "0"], "more than none"),
        (["--pages-per-s", "1", "--lines-per-page", "0"], "more than none"),
        (["--pages-per-s", "1", "--result", "no-such.json"], "no-such.json"),
        (["--pages-per-s", "1", "--machine", "Cray"], "'Cray'"),
        (["--pages-per-s", "1", "--mix", "a=1:1x1"], "belong together"),
        (["--documents-per-s", "1"], "belong together"),
        (["--documents-per-s", "1", "--mix", "a=1"], "NAME=SHARE:PAGESxLINES"),
        (["--documents-per-s", "1", "--mix", "a=0:1x1"], "above 0"),
        (["--documents-per-s", "1", "--mix", "a=1.2.3:1x1"], "no number"),
        (["--documents-per-s", "0", "--mix", "a=1:1x1"], "more than none"),
        (["--documents-per-s", "1", "--mix", "a=1:1x1", "--lines-per-page", "3"], "the mix says"),
        (["--check", "--result", str(DEFAULT_RESULT)], "to compare with"),
    ],
)
def test_bad_input_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "fast"])
def test_a_result_with_figures_that_are_none_is_said(
    tmp_path: Path, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    content = result()
    content["systems"]["limit"]["stages"]["detection"] = {
        "prepare_ms": 1.0,
        "forward_ms": value,
        "finish_ms": 2.0,
    }
    path = write(tmp_path / "r.json", content)
    assert main(["--pages-per-s", "1", "--result", str(path)]) == 2
    assert "has no stage times" in capsys.readouterr().err


def test_stages_that_were_not_measured_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = result()
    del content["systems"]["limit"]["stages"]["classification"]
    assert main(["--pages-per-s", "5", "--result", str(write(tmp_path / "r.json", content))]) == 2
    assert "classification" in capsys.readouterr().err


def test_the_newest_result_of_a_machine_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    assert newest_result() == DEFAULT_RESULT
    write(tmp_path / "2026-01-03-ccc.json", {"sets": {}})
    (tmp_path / "2026-01-04-ddd.json").write_text("no JSON", encoding="utf-8")
    older = write(tmp_path / "2026-01-01-fff.json", result(measured="2026-01-01T01:00", machine={"gpu": "A"}))
    newer = write(tmp_path / "2026-01-01-aaa.json", result(measured="2026-01-01T02:00", machine={"gpu": "B"}))
    assert newest_result() == newer
    assert newest_result("a") == older
    os.utime(older)
    assert newest_result() == newer


def test_the_handbooks_large_plan_is_the_tools() -> None:
    """Within a tenth, so that a benchmark taken again need not rewrite it."""
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = handbook[handbook.index("### A plan to 10,000") :]
    taken = read_result(newest_result())
    where = placements(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    found = plan(taken, Demand(10_000, taken.lines_per_page), where)
    (cores,) = re.findall(r"asks for ([\d,]+) processors", section)
    assert int(cores.replace(",", "")) == pytest.approx(found.cores, rel=0.1)
    (share,) = re.findall(r"it reaches (\d+) % of the limit", section)
    assert int(share) / 100 == pytest.approx(taken.efficiency, rel=0.1)


def test_the_shipped_figures_and_configuration_fit_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_result(DEFAULT_RESULT).stages.keys() == {"detection", "classification", "recognition"}
    assert main(["--pages-per-s", "100", "--result", str(DEFAULT_RESULT)]) == 0
    said = capsys.readouterr().out
    assert "RecognitionCrnn" in said
    # From processors, for a configuration of eight nodes with cards.
    assert "for a configuration with GPUs" in said and "room for 8 nodes" in said
