"""Which pod reaches which: the network policies, reckoned as Kubernetes does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

KUBERAY = Path(__file__).resolve().parents[2] / "cluster" / "kuberay"
PRIVATE_PORTS = {6379, 8265, 10001, 52365}

Manifest = dict[str, Any]


class Pod(NamedTuple):
    """A pod as policies see it."""

    labels: dict[str, str]
    namespace: str = "scriptorium"


def ray_pod(kind: str) -> Pod:
    return Pod({"app.kubernetes.io/part-of": "scriptorium", "ray.io/node-type": kind})


HEAD, WORKER = ray_pod("head"), ray_pod("worker")
# KubeRay's job that clears the state of a cluster in Redis: the head's pod under another type.
CLEANUP = ray_pod("redis-cleanup")
REDIS = Pod({"app.kubernetes.io/name": "scriptorium-redis"})
PROMETHEUS = Pod({"app.kubernetes.io/name": "prometheus"}, "monitoring")
PODS = (HEAD, WORKER, CLEANUP, REDIS, PROMETHEUS)


def policies(*, redis: bool = True) -> list[Manifest]:
    """The policies of the base, and of GCS fault tolerance on it."""
    folders = ["base", "gcs-fault-tolerance"] if redis else ["base"]
    files = [path for folder in folders for path in sorted((KUBERAY / folder).glob("*.yaml"))]
    found = [m for path in files for m in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [manifest for manifest in found if manifest["kind"] == "NetworkPolicy"]


def chosen(selector: Manifest, labels: dict[str, str]) -> bool:
    assert not selector.keys() - {"matchLabels"}, "the reckoning here knows matchLabels alone"
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: Manifest, pod: Pod) -> bool:
    """Without a selector of namespaces a peer is a pod of the policy's own namespace; an address is none."""
    if "ipBlock" in peer:
        return False
    space = peer.get("namespaceSelector")
    if space is None:
        there = pod.namespace == "scriptorium"
    else:
        there = chosen(space, {"kubernetes.io/metadata.name": pod.namespace})
    return there and chosen(peer.get("podSelector", {}), pod.labels)


def admitted(given: list[Manifest], side: str, pod: Pod, other: Pod, port: int) -> bool:
    """Whether ``pod`` may take (Ingress) from ``other``, or send (Egress) to it, on a TCP port."""
    rules_for_pod = [
        policy["spec"].get(side.lower(), [])
        for policy in given
        if pod.namespace == "scriptorium"
        and side in policy["spec"]["policyTypes"]
        and chosen(policy["spec"]["podSelector"], pod.labels)
    ]
    key = "from" if side == "Ingress" else "to"
    return not rules_for_pod or any(
        (not rule.get(key) or any(is_peer(peer, other) for peer in rule[key]))
        and (not rule.get("ports") or {"protocol": "TCP", "port": port} in rule["ports"])
        for rules in rules_for_pod
        for rule in rules
    )


def connects(given: list[Manifest], source: Pod, target: Pod, port: int) -> bool:
    return admitted(given, "Egress", source, target, port) and admitted(
        given, "Ingress", target, source, port
    )


def named(given: list[Manifest]) -> Iterator[tuple[Manifest, str, Pod, Pod, int]]:
    """Connections that rules name: policy and its side, the pod it is for, the other pod, a port.

    A rule without ports is asked for one that no rule names.
    """
    for policy in given:
        spec = policy["spec"]
        for side, key in (("Ingress", "from"), ("Egress", "to")):
            for rule, pod, other in product(spec.get(side.lower(), []), PODS, PODS):
                its_own = pod.namespace == "scriptorium" and chosen(spec["podSelector"], pod.labels)
                if its_own and any(is_peer(peer, other) for peer in rule.get(key, [])):
                    for port in rule.get("ports", [{"port": 54321}]):
                        yield policy, side, pod, other, port["port"]


def one_sided(given: list[Manifest]) -> set[str]:
    """Policies that name a connection which no rule on its other side admits."""
    other_side = {"Ingress": "Egress", "Egress": "Ingress"}
    return {
        f"{policy['metadata']['name']}: {side} {port}"
        for policy, side, pod, other, port in named(given)
        if not admitted(given, other_side[side], other, pod, port)
    }


def test_what_one_side_admits_the_other_admits_too() -> None:
    assert not one_sided(policies())


def test_a_rule_without_its_counterpart_would_be_found() -> None:
    without = [policy for policy in policies() if policy["metadata"]["name"] != "scriptorium-redis"]
    assert one_sided(without) == {"redis: Ingress 6379"}


def test_the_head_and_the_job_that_clears_up_reach_redis_and_redis_reaches_nobody() -> None:
    given = policies()
    assert connects(given, HEAD, REDIS, 6379) and connects(given, CLEANUP, REDIS, 6379)
    assert not connects(given, HEAD, REDIS, 22) and not connects(given, PROMETHEUS, REDIS, 6379)
    assert not any(connects(given, REDIS, pod, 6379) for pod in PODS)
    assert not connects(policies(redis=False), HEAD, REDIS, 6379)


def test_names_are_asked_of_the_cluster_and_of_the_cache_of_the_node_alone() -> None:
    (names,) = [policy for policy in policies() if policy["metadata"]["name"] == "scriptorium-names"]
    (rule,) = names["spec"]["egress"]
    assert rule["to"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]
    assert {port["port"] for port in rule["ports"]} == {53}


def test_pods_of_the_cluster_reach_each_other_on_every_port() -> None:
    for port in (*PRIVATE_PORTS, 8000, 30000, 54321):
        assert connects(policies(), HEAD, WORKER, port) and connects(policies(), WORKER, HEAD, port)


def test_only_the_pods_themselves_and_the_operator_reach_private_ports() -> None:
    given = policies(redis=False)
    names = {policy["metadata"]["name"] for policy in given}
    assert "scriptorium-nothing-by-default" in names
    for policy in given:
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"], policy["metadata"]["name"]
            ports = {port["port"] for port in rule.get("ports", [])}
            if policy["metadata"]["name"] == "scriptorium-operator":
                assert ports == {8265}
            elif policy["metadata"]["name"] != "scriptorium-among-themselves":
                assert ports and not ports & PRIVATE_PORTS


@pytest.mark.parametrize("namespace", ["default", "kuberay-system", "ray-system"])
@pytest.mark.parametrize("name", ["kuberay", "kuberay-operator"], ids=["Kustomize", "Helm"])
def test_the_operator_reaches_the_dashboard_from_wherever_it_is_installed(name: str, namespace: str) -> None:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "kuberay-operator"}
    operator = Pod(labels, namespace)
    assert connects(policies(), operator, HEAD, 8265)
    assert not connects(policies(), operator, HEAD, 6379) and not connects(policies(), operator, WORKER, 8265)
    other = Pod({"app.kubernetes.io/name": "other"}, namespace)
    assert not connects(policies(), other, HEAD, 8265)


@pytest.mark.parametrize("port", [8080, 9101, 44217, 44227])
def test_prometheus_reaches_the_metrics_and_nothing_else(port: int) -> None:
    assert connects(policies(), PROMETHEUS, WORKER, port)
    assert not any(connects(policies(), PROMETHEUS, HEAD, private) for private in (*PRIVATE_PORTS, 8000))
