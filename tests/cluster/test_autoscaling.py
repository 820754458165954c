"""Each stage scales by itself with its own work, up and down, and no document is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.fake_graph import RECOGNITION
from cluster.load.runner import summary
from cluster.load.scaling import LETTERS_PER_S, SCANS_PER_S, SHORT, config
from cluster.local_nodes import LocalNodes
from tests.cluster.conftest import Traffic, wait_for

STAGES = ("Detection", RECOGNITION)


@pytest.fixture(scope="module")
def graph(nodes: LocalNodes) -> Iterator[LocalNodes]:
    nodes.deploy(config(SHORT))
    yield nodes


@pytest.mark.parametrize(
    ("kind", "documents_per_s", "loaded", "other"),
    [("letter", LETTERS_PER_S, RECOGNITION, "Detection"), ("scan", SCANS_PER_S, "Detection", RECOGNITION)],
)
def test_the_loaded_stage_scales_alone_and_back(
    graph: LocalNodes, kind: str, documents_per_s: float, loaded: str, other: str
) -> None:
    seen: list[dict[str, int]] = []

    def replicas(stage: str) -> int:
        seen.append(graph.counts())
        return seen[-1][stage]

    wait_for(lambda: all(replicas(stage) == 1 for stage in STAGES), "one replica of each stage")
    with Traffic(graph.url, kind, documents_per_s) as traffic:
        wait_for(lambda: replicas(loaded) >= 3, f"three replicas of {loaded}")
    wait_for(lambda: replicas(loaded) == 1, f"{loaded} scaled down")
    assert {counts[other] for counts in seen} == {1}
    assert {counts["Classification"] for counts in seen} == {1}
    found = summary(traffic.outcomes)
    assert found["right"] == found["documents"] > 0, found
