"""Three nodes under load: stages scale and spread, a node dies, configurations change.

No request may be lost or answered wrongly meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.load import failures, scaling
from benchmarks.load.background import Traffic, wait_for
from benchmarks.load.failures import NODE, REPLICAS, nodes_of
from benchmarks.load.runner import summary
from cluster.fake_graph import RECOGNITION
from cluster.local_nodes import LocalNodes

SEED = 20
FEW = 5
# What a small machine still answers while it starts seven replicas.
DOCUMENTS_PER_S = 1.5
SCALED = ("Detection", RECOGNITION)
# How a request may be refused while a node dies: by us, to be repeated; by Serve's proxy, whose ingress
# replica died with the request in hand; or by a connection that broke.
REFUSALS = {"503 stage_unavailable", "503 overloaded", "500", "503", "ReadError", "RemoteProtocolError"}


@pytest.fixture(scope="module")
def nodes() -> Iterator[LocalNodes]:
    """Three nodes; what a test kills it starts again."""
    with LocalNodes(NODE) as nodes:
        failures.start_nodes(nodes)
        yield nodes


@pytest.fixture
def graph(nodes: LocalNodes) -> LocalNodes:
    """A fixed number of replicas of each stage."""
    nodes.deploy(failures.config())
    wait_for(lambda: failures.is_whole(nodes), "all replicas")
    return nodes


def receipts(nodes: LocalNodes) -> Traffic:
    return Traffic(nodes.url, "receipt", DOCUMENTS_PER_S, SEED)


def pids(nodes: LocalNodes) -> set[int]:
    return {replica["pid"] for name in REPLICAS for replica in nodes.replicas(name)}


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
    with Traffic(nodes.url, kind, documents_per_s, SEED) as traffic:
        wait_for(lambda: replicas(loaded) >= 3, f"three replicas of {loaded}")
    wait_for(lambda: replicas(loaded) == 1, f"{loaded} scaled down")
    # A moment in which the machine stands still bunches documents up; what nobody waits for stays small.
    most = {stage: max(counts[stage] for counts in seen) for stage in (*SCALED, "Classification")}
    assert max(most[other], most["Classification"]) <= 2 < most[loaded]
    found = summary(traffic.outcomes)
    assert found["right"] == found["documents"] > 0, found


def test_replicas_of_a_stage_spread_over_the_nodes(graph: LocalNodes) -> None:
    assert len(set(nodes_of(graph, "Detection"))) == len(set(nodes_of(graph, RECOGNITION))) == 2
    assert len({node for name in REPLICAS for node in nodes_of(graph, name)}) == 3


def test_a_node_dies_under_load_and_its_capacity_comes_back(graph: LocalNodes) -> None:
    before = pids(graph)
    with receipts(graph) as traffic:
        traffic.wait_for_more(FEW)
        failures.kill_a_node(graph)
        traffic.wait_for_more(FEW)
    graph.add(**NODE)
    assert pids(graph) - before, "replicas that died have successors"
    found = summary(traffic.outcomes)
    assert found["right"] == found["documents"], found
    assert set(found["refusals"]) <= REFUSALS


def test_a_change_of_tuning_under_load_fails_no_request(graph: LocalNodes) -> None:
    before = pids(graph)
    with receipts(graph) as traffic:
        traffic.wait_for_more(FEW)
        failures.change_tuning(graph, 0)
    assert pids(graph) == before, "taken over live"
    assert_nothing_failed(traffic)


def test_a_change_of_arguments_under_load_fails_no_request(graph: LocalNodes) -> None:
    before = pids(graph)
    with receipts(graph) as traffic:
        traffic.wait_for_more(FEW)
        failures.change_arguments(graph, 0)
    assert not pids(graph) & before, "every replica was replaced"
    assert_nothing_failed(traffic)


def assert_nothing_failed(traffic: Traffic) -> None:
    found = summary(traffic.outcomes)
    assert found["documents"] > 0
    assert (found["right"], found["refusals"]) == (found["documents"], {}), found
