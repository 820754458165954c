"""What the operator's handbook tells people to type, open and reach is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import render
from deployments.instruments import INSTRUMENTS
from serve_app import check_config
from tests.manifests import CLUSTER, ROOT, groups, manifests, of_kind
from tests.unit.test_network_policies import HEAD, PROMETHEUS, WORKER, Pod, connects, policies

HANDBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
CONTROLLER = Pod({"app.kubernetes.io/name": "ingress-nginx"}, "ingress-nginx")
OPERATOR = Pod({"app.kubernetes.io/component": "kuberay-operator"}, "kuberay-system")
STRANGER = Pod({"app.kubernetes.io/name": "other"}, "default")


def ports() -> dict[int, str]:
    """The single ports of the handbook's table, and who may reach them."""
    table = HANDBOOK[HANDBOOK.index("## Ports") : HANDBOOK.index("## Changing and upgrading")]
    rows = re.findall(r"^\| ([\d, ]+) \| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE)
    return {int(port): who for listed, who in rows for port in listed.split(",")}


def code() -> str:
    """Everything in the handbook that stands as code, continued lines joined."""
    fenced = re.findall(r"```\w*\n(.*?)```", HANDBOOK, re.DOTALL)
    plain = re.sub(r"```.*?```", "", HANDBOOK, flags=re.DOTALL)
    inline = [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", plain)]
    return "\n".join([*fenced, *inline]).replace("\\\n", " ")


def test_every_port_of_a_container_is_in_the_table() -> None:
    opened = {
        port["containerPort"]
        for group in groups()
        for container in group["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    assert opened <= ports().keys()
    assert {port for _, m in manifests() if m["kind"] == "PodMonitor" for port in named(m)} <= {
        name["name"] for group in groups() for name in group["template"]["spec"]["containers"][0]["ports"]
    }


def named(monitor: dict[str, Any]) -> set[str]:
    return {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]}


@pytest.mark.parametrize(("port", "who"), ports().items())
def test_policies_let_in_whom_the_table_names(port: int, who: str) -> None:
    rules = policies()
    reached = {
        "ingress controller": connects(rules, CONTROLLER, WORKER, port),
        "operator": connects(rules, OPERATOR, HEAD, port),
        "Prometheus": connects(rules, PROMETHEUS, WORKER, port),
    }
    assert reached == {name: name in who for name in reached}
    assert connects(rules, WORKER, HEAD, port) and not connects(rules, STRANGER, WORKER, port)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make ([a-z][\w-]*)", code(), re.MULTILINE))
    assert {"cluster-files", "check-config"} <= targets
    for target in targets:
        assert re.search(rf"^{target}\s*:", makefile, re.MULTILINE), target


def test_resources_and_labels_of_commands_exist() -> None:
    named_ones = set(re.findall(r"\b(rayservice|namespace|secret generic) ([\w-]+)", code()))
    assert {"rayservice", "namespace", "secret generic"} == {kind for kind, _ in named_ones}
    (keys,) = [v["secret"]["secretName"] for v in groups()[1]["template"]["spec"]["volumes"] if "secret" in v]
    known = {
        "rayservice": of_kind("RayService")["metadata"]["name"],
        "namespace": of_kind("Namespace")["metadata"]["name"],
        "secret generic": keys,
    }
    assert all(known[kind] == name for kind, name in named_ones)
    assert set(re.findall(r"kubectl -n (\S+)", code())) == {known["namespace"]}
    # KubeRay's own labels, by which the policies select as well.
    labels = dict(re.findall(r" -l (\S+?)=(\w+)", code()))
    assert labels == {"ray.io/node-type": "head"}
    assert labels.items() <= HEAD.labels.items()


def test_folders_that_are_applied_exist() -> None:
    folders = re.findall(r"\b(cluster/kuberay/[\w-]+)", code())
    assert len(folders) >= 3
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder


def test_the_patch_goes_to_the_worker_group_s_bound() -> None:
    (path,) = re.findall(r'"path": "([^"]+)"', code())
    place: Any = of_kind("RayService")["spec"]["rayClusterConfig"]
    for step in path.removeprefix("/spec/").split("/"):
        place = place[int(step) if step.isdigit() else step]
    assert isinstance(place, int)


def test_metrics_that_are_named_exist() -> None:
    recorded = set(re.findall(r"record: (\S+)", (CLUSTER / "monitoring" / "alerts.yaml").read_text("utf-8")))
    assert set(re.findall(r"\b\w+:scriptorium_\w+:\w+", code())) <= recorded
    series = {each.series for each in INSTRUMENTS}
    assert set(re.findall(r"\bray_scriptorium_\w+", code())) <= series
    alerts = (CLUSTER / "monitoring" / "alerts.yaml").read_text(encoding="utf-8")
    assert all(name in alerts for name in re.findall(r"\bray_serve_\w+", code()))


def test_a_second_cluster_may_begin_with_what_the_first_one_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our checks and Serve take ``initial_replicas``, and the configuration of one node is none the worse."""
    config = yaml.safe_load((CLUSTER / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    for deployment in config["applications"][0]["deployments"]:
        bounds = deployment["autoscaling_config"]
        bounds["initial_replicas"] = bounds["max_replicas"] - 1
    assert check_config.check(config) == []
    (tmp_path / "serve_config.gpu.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.setattr(render, "CLUSTER", tmp_path)
    assert check_config.check(yaml.safe_load(render.one_gpu_config())) == []
