"""A real Prometheus scrapes the cluster with the committed configuration, rules and dashboard."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from cluster import dashboard
from cluster.ports import free_port
from deployments import instruments
from tests.cluster.production.conftest import POISON, Production
from tests.cluster.production.nodes import ROOT
from tests.cluster.production.test_graph import png
from tests.cluster.production.waiting import wait_for

MONITORING = ROOT / "cluster" / "monitoring"
NEEDS_GPU = {"ray_node_gpus_utilization", "ray_node_gram_used", "ray_node_gram_available"}
# Recorded where a GPU is, or when work is refused, a decoder dies or a job fails; none of that happens here.
NOT_HERE = {
    instruments.STAGE_REFUSALS,
    instruments.GPU_MEMORY_BYTES,
    instruments.DOCUMENT_REFUSALS,
    instruments.DECODERS_ENDED,
    instruments.JOB_FAILURES,
}


@pytest.fixture(scope="module")
def prometheus(production: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed (Debian package prometheus)")
    directory = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    command = [
        binary,
        f"--config.file={scrape_config(production, directory)}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


def scrape_config(production: Production, directory: Path) -> Path:
    """The committed prometheus.yml, with this cluster's ports and without patience."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(MONITORING / "alerts.yaml")]
    ports = {8080: production.nodes.metrics_port, 9101: production.nodes.haproxy_metrics_port}
    for job in config["scrape_configs"]:
        ((target,),) = [each["targets"] for each in job["static_configs"]]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[int(target.split(':')[1])]}"]}]
    # The workers' metrics, which on machines of their own are at the same port.
    worker_ports = production.nodes.worker_metrics_ports
    config["scrape_configs"][0]["static_configs"] += [
        {"targets": [f"127.0.0.1:{port}" for port in worker_ports]}
    ]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def names(prometheus: httpx.Client) -> set[str]:
    try:
        answer = prometheus.get("/api/v1/label/__name__/values").raise_for_status()
    except httpx.HTTPError:
        return set()
    return set(answer.json()["data"])


def series(instrument: instruments.Instrument) -> set[str]:
    if instrument.kind is instruments.MetricKind.HISTOGRAM:
        return {f"{instrument.series}_{part}" for part in ("bucket", "sum", "count")}
    return {instrument.series}


def expressions() -> list[str]:
    """Every query of the dashboard and of the alerts, with Grafana's variables filled in."""
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    panels = [t["expr"] for panel in dashboard.build()["panels"] for t in panel.get("targets", ())]
    return [
        query.replace("$__rate_interval", "1m").replace("$stage", "Detection") for query in panels + alerts
    ]


def test_prometheus_sees_every_metric_of_the_service(
    production: Production, prometheus: httpx.Client
) -> None:
    production.nodes.http.post("/ocr", content=png(1, POISON))
    production.nodes.http.post("/ocr", content=b"not an image at all")
    wanted = {name for each in instruments.INSTRUMENTS if each not in NOT_HERE for name in series(each)}
    wait_for(lambda: wanted - names(prometheus), lambda missing: not missing)


def test_every_series_of_the_dashboard_and_the_alerts_exists(prometheus: httpx.Client) -> None:
    used = {name for query in expressions() for name in re.findall(r"\b(?:ray|haproxy)_\w+", query)}
    absent = NEEDS_GPU | {name for each in NOT_HERE for name in series(each)}
    wait_for(lambda: used - absent - names(prometheus), lambda missing: not missing)


def test_every_query_of_the_dashboard_and_the_alerts_runs(prometheus: httpx.Client) -> None:
    for query in expressions():
        answer = prometheus.get("/api/v1/query", params={"query": query})
        assert answer.status_code == 200, (query, answer.text)


def test_haproxy_is_scraped(prometheus: httpx.Client) -> None:
    up = 'up{job="scriptorium-haproxy"} == 1'

    def result() -> list[object]:
        found: list[object] = prometheus.get("/api/v1/query", params={"query": up}).json()["data"]["result"]
        return found

    wait_for(result, lambda found: len(found) == 1)


def test_rules_are_evaluated_and_quiet_on_a_healthy_cluster(prometheus: httpx.Client) -> None:
    def rules() -> list[dict[str, str]]:
        groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    evaluated = wait_for(rules, lambda found: bool(found) and all(r["health"] == "ok" for r in found))
    assert {rule["name"] for rule in evaluated if rule.get("state") == "firing"} == set()
