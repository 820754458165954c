"""Three nodes under load: stages scale and spread, a node dies, configurations change.

No request may be lost or answered wrongly meanwhile.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator

import pytest

from cluster.fake_graph import RECOGNITION, Config, deployment, local_config, with_fakes
from cluster.load import scaling
from cluster.load.runner import summary
from cluster.local_nodes import LocalNodes
from tests.cluster.traffic import Traffic, wait_for

REPLICAS = {"OcrIngress": 2, "Detection": 2, "Classification": 1, RECOGNITION: 2}
SCALED = ("Detection", RECOGNITION)
# How a request may be refused while a node dies: by us, to be repeated; by Serve's proxy, whose ingress
# replica died with the request in hand; or by a connection that broke.
REFUSALS = {"503 stage_unavailable", "503 overloaded", "500", "503", "ReadError", "RemoteProtocolError"}


def config() -> Config:
    changed = with_fakes(local_config(), recognition={"item_ms": 2}, detection={"item_ms": 20})
    for name, number in REPLICAS.items():
        block = deployment(changed, name)
        del block["autoscaling_config"]
        # All new replicas are there before an old one goes.
        block |= {"num_replicas": number, "max_surge_percent": 100, "rolling_update_percentage": 1.0}
    return changed


@pytest.fixture(scope="module")
def nodes() -> Iterator[LocalNodes]:
    """Three nodes; what a test kills it starts again."""
    with LocalNodes({"num_cpus": 4}) as nodes:
        for _ in range(2):
            nodes.add(num_cpus=4)
        yield nodes


@pytest.fixture
def graph(nodes: LocalNodes) -> LocalNodes:
    """A fixed number of replicas of each stage."""
    nodes.deploy(config())
    return nodes


@pytest.mark.parametrize(
    ("kind", "documents_per_s", "loaded", "other"),
    [
        ("letter", scaling.LETTERS_PER_S, RECOGNITION, "Detection"),
        ("scan", scaling.SCANS_PER_S, "Detection", RECOGNITION),
    ],
)
def test_the_loaded_stage_scales_alone_and_back(
    nodes: LocalNodes, kind: str, documents_per_s: float, loaded: str, other: str
) -> None:
    nodes.deploy(scaling.config(scaling.SHORT))
    seen: list[dict[str, int]] = []

    def replicas(stage: str) -> int:
        seen.append(nodes.counts())
        return seen[-1][stage]

    wait_for(lambda: all(replicas(stage) == 1 for stage in SCALED), "one replica of each stage")
    with Traffic(nodes.url, kind, documents_per_s) as traffic:
        wait_for(lambda: replicas(loaded) >= 3, f"three replicas of {loaded}")
    wait_for(lambda: replicas(loaded) == 1, f"{loaded} scaled down")
    assert {counts[other] for counts in seen} == {1}
    assert {counts["Classification"] for counts in seen} == {1}
    found = summary(traffic.outcomes)
    assert found["right"] == found["documents"] > 0, found


def where(graph: LocalNodes, stage: str) -> set[str]:
    return {replica["node_id"] for replica in graph.replicas(stage)}


def test_replicas_of_a_stage_spread_over_the_nodes(graph: LocalNodes) -> None:
    assert len(where(graph, "Detection")) == len(where(graph, RECOGNITION)) == 2
    assert len(set().union(*(where(graph, name) for name in REPLICAS))) == 3


def test_a_node_dies_under_load_and_its_capacity_comes_back(graph: LocalNodes) -> None:
    at_work = Counter(node for name in REPLICAS for node in where(graph, name) if node != graph.head_id)
    ((victim, _),) = at_work.most_common(1)
    before = {replica["replica_id"] for stage in REPLICAS for replica in graph.replicas(stage)}
    with Traffic(graph.url, "receipt", 4) as traffic:
        traffic.wait_for_more()
        graph.kill(victim)
        wait_for(lambda: all(victim not in where(graph, name) for name in REPLICAS), "the node's death")
        wait_for(lambda: graph.counts() == REPLICAS, "all replicas again")
        traffic.wait_for_more()
    graph.add(num_cpus=4)
    after = {replica["replica_id"] for stage in REPLICAS for replica in graph.replicas(stage)}
    assert after - before
    found = summary(traffic.outcomes)
    assert found["right"] == found["documents"], found
    assert set(found["refusals"]) <= REFUSALS


def test_a_change_of_tuning_under_load_fails_no_request(graph: LocalNodes) -> None:
    changed = config()
    deployment(changed, "Detection")["user_config"]["max_lines"] = 300
    pids = {replica["pid"] for replica in graph.replicas("Detection")}
    with Traffic(graph.url, "receipt", 4) as traffic:
        traffic.wait_for_more()
        graph.deploy(changed)
    assert {replica["pid"] for replica in graph.replicas("Detection")} == pids, "taken over live"
    assert_nothing_failed(traffic)


def test_a_change_of_arguments_under_load_fails_no_request(graph: LocalNodes) -> None:
    changed = copy.deepcopy(config())
    (application,) = changed["applications"]
    application["args"]["recognition"]["engines"]["fake"]["fake"]["item_ms"] = 1
    application["args"]["pipeline"] = {"pages_in_flight": 3}
    pids = {replica["pid"] for name in REPLICAS for replica in graph.replicas(name)}
    with Traffic(graph.url, "receipt", 4) as traffic:
        traffic.wait_for_more()
        graph.deploy(changed)
        wait_for(lambda: graph.counts() == REPLICAS, "all replicas, and no old one")
    now = {replica["pid"] for name in ("OcrIngress", RECOGNITION) for replica in graph.replicas(name)}
    assert not now & pids, "every replica that the change concerns was replaced"
    assert_nothing_failed(traffic)


def assert_nothing_failed(traffic: Traffic) -> None:
    found = summary(traffic.outcomes)
    assert found["documents"] > 0
    assert (found["right"], found["refusals"]) == (found["documents"], {}), found
