"""Alerts and dashboard name metrics that exist, alerts are tested and have a runbook entry."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import dashboard, ray_environment
from cluster.panels import COLUMNS
from deployments.errors import ServiceError, kinds
from deployments.instruments import INSTRUMENTS, STEP_ITEMS, STEP_PIXELS, STEP_SECONDS, MetricKind
from serve_app.problems import INTERNAL, catalogue

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "cluster" / "monitoring"


def all_rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    return [rule for rule in all_rules() if "alert" in rule]


def recordings() -> dict[str, str]:
    """What is recorded for the alerts: names and expressions."""
    return {rule["record"]: rule["expr"] for rule in all_rules() if "record" in rule}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard.build()["panels"]
    return found


def queries() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    variables = [each["query"]["query"] for each in dashboard.build()["templating"]["list"]]
    return [*shown, *variables, *(rule["expr"] for rule in all_rules())]


def series_of_ours() -> set[str]:
    """Names under which Prometheus has our metrics."""
    return {
        f"{each.series}{part}"
        for each in INSTRUMENTS
        for part in (("_bucket", "_sum", "_count") if each.kind is MetricKind.HISTOGRAM else ("",))
    }


@cache
def source_of_ray() -> str:
    files = [
        *resources.files("ray.serve._private").iterdir(),
        *resources.files("ray.dashboard.modules.reporter").iterdir(),
    ]
    return "\n".join(each.read_text(encoding="utf-8") for each in files if each.name.endswith(".py"))


def names(query: str) -> set[str]:
    return set(re.findall(r"\b(?:ray|haproxy)_\w+", query))


def test_every_metric_that_is_asked_for_is_recorded() -> None:
    asked = {name for query in queries() for name in names(query)}
    ours = {name for name in asked if name.startswith("ray_scriptorium_")}
    assert ours <= series_of_ours()
    # HAProxy's are looked for in a real one: tests/cluster/production/test_monitoring.py.
    for name in {name for name in asked - ours if name.startswith("ray_")}:
        plain = re.sub(r"_(bucket|sum|count|total)$", "", name.removeprefix("ray_"))
        assert f'"{plain}"' in source_of_ray() or f'"{name.removeprefix("ray_")}"' in source_of_ray(), name


def test_alerts_ask_for_recordings_that_are_made_and_all_of_these() -> None:
    asked = {name for rule in rules() for name in re.findall(r"[a-z_]*:?scriptorium_\w+:\w+", rule["expr"])}
    assert asked == recordings().keys()


def test_alerts_by_share_count_new_counters_and_more_than_three_cases() -> None:
    """A counter comes with its first value, which is no increase; and one of two is half of them."""
    shares = [rule for rule in rules() if "humanizePercentage" in rule["annotations"]["summary"]]
    counted = {rule["alert"] for rule in shares if ":increase" in rule["expr"]}
    assert counted == {
        "ScriptoriumInternalErrors",
        "ScriptoriumEdgeErrors",
        "ScriptoriumItemsFail",
        "ScriptoriumRefusing",
    }
    for rule in shares:
        if rule["alert"] in counted:
            assert "_total" not in rule["expr"]
            assert re.search(r"increase30m\b[^/]*> 3\n$", rule["expr"]), rule["alert"]
    for name, expression in recordings().items():
        window = name.rpartition("increase")[2]
        assert f"[{window}]) unless " in expression and f" offset {window})" in expression, name


def test_every_metric_that_is_recorded_is_shown() -> None:
    shown = {name for panel in panels() for t in panel.get("targets", ()) for name in names(t["expr"])}
    for instrument in INSTRUMENTS:
        assert any(name.startswith(instrument.series) for name in shown), instrument.name


def test_what_is_counted_exactly_is_asked_of_no_histogram() -> None:
    """Ray makes up the sum of a histogram from its buckets: 0.7 to 1.75 times what it was."""
    for query in queries():
        assert not {f"{each.series}_sum" for each in (STEP_SECONDS, STEP_PIXELS, STEP_ITEMS)} & names(
            query
        ), query


def test_the_alert_on_haproxy_leaves_out_all_that_the_service_answers_itself() -> None:
    (rule,) = [each for each in rules() if each["alert"] == "ScriptoriumEdgeErrors"]
    importlib.import_module("serve_app.api")  # with which every problem is known
    (codes,) = set(re.findall(r'code=~"([^"]+)"', rule["expr"]))
    assert set(codes.split("|")) == {code for code, kind in catalogue().items() if kind.status >= 500}


def test_the_alert_on_jobs_has_every_failure_that_is_not_the_document_s() -> None:
    (rule,) = [each for each in rules() if each["alert"] == "ScriptoriumJobsFail"]
    importlib.import_module("serve_app.api")
    (codes,) = set(re.findall(r'code=~"([^"]+)"', rule["expr"]))
    # Raised over requests, never over a job that was taken.
    of_requests = {"job_not_finished", "not_ready", "stopping", "too_many_jobs"}
    ours = {each.code for each in kinds(ServiceError)} & catalogue().keys() | {INTERNAL.code}
    assert set(codes.split("|")) - {ServiceError.code} == ours - of_requests


def test_the_alert_on_bounds_has_those_of_the_production_configuration() -> None:
    (rule,) = [each for each in rules() if each["alert"] == "ScriptoriumAtMaximum"]
    config = yaml.safe_load((ROOT / "cluster" / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    bounds = {
        each["name"]: str(each["autoscaling_config"]["max_replicas"])
        for each in config["applications"][0]["deployments"]
    }
    assert dict(re.findall(r'deployment="(\w+)"} >= (\d+)', rule["expr"])) == bounds


def test_pods_report_their_disk() -> None:
    """Without the variable Ray reports a disk of one byte, empty, from a pod."""
    assert any(rule["alert"] == "ScriptoriumNodeDisk" for rule in rules())
    variables = {each.name: each.value for each in ray_environment.load()}
    assert variables["RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE"] == "1"
    reporter = resources.files("ray.dashboard.modules.reporter").joinpath("reporter_agent.py")
    assert '"RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE") == "1"' in reporter.read_text(encoding="utf-8")


def test_labels_that_are_asked_for_exist() -> None:
    """By-clauses and matchers on our metrics use their own labels, or those that Serve and Prometheus add."""
    added = {"application", "deployment", "replica", "instance", "job", "le", "proxy", "code"}
    known = added.union(*(each.labels for each in INSTRUMENTS))
    for query in queries():
        if "ray_scriptorium_" in query:
            grouped = re.findall(r"(?:by|ignoring) \(([^)]*)\)", query)
            matched = re.findall(r'(\w+)(?:=|!=|=~)"', query)
            used = {label.strip() for group in grouped for label in group.split(",")} | set(matched)
            assert used <= known, query


def test_panels_fill_their_lines_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= COLUMNS, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert all(x in {x for x, _ in taken} for x in range(COLUMNS))


def test_every_alert_is_tested_and_has_a_runbook_entry() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^### (\w+)$", handbook, re.MULTILINE))
    tests = yaml.safe_load((MONITORING / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    fired = {t["alertname"] for test in tests for t in test["alert_rule_test"] if t["exp_alerts"]}
    alerts = {rule["alert"] for rule in rules()}
    assert sections == alerts == fired
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_path_that_the_handbook_names_exists() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for path in set(re.findall(r"`((?:cluster|deployments|benchmarks|docs)/[\w./-]+)`", handbook)):
        if path != "cluster/docker/keys/api-keys":
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    "command",
    [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
        ["check", "config", "prometheus.yml"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_agrees(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    done = subprocess.run([promtool, *command], cwd=MONITORING, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_on_quantiles_compare_with_bounds_of_buckets() -> None:
    """Between two bounds a quantile is made up: steps of 11 s would count as 29.8 s."""
    bounds = {instrument.series: instrument.buckets for instrument in INSTRUMENTS}
    compared = []
    for rule in rules():
        if "histogram_quantile" in rule["expr"]:
            (limit,) = re.findall(r"[<>]=?\s*([\d.]+)\s*$", rule["expr"].strip())
            for series in re.findall(r"(\w+)_bucket\b", rule["expr"]):
                assert float(limit) in bounds[series], f"{rule['alert']}: {limit} is no bound of {series}"
                compared.append(series)
    assert len(compared) >= 4


def test_panels_of_shares_show_failures_before_anything_was_read() -> None:
    shown = {panel["title"]: panel["targets"][0]["expr"] for panel in panels() if panel.get("targets")}
    for title in ("Refused (503)", "Internal errors"):
        assert re.search(r"document_seconds_count\[\$__rate_interval\]\)\) or vector\(0\)", shown[title])
