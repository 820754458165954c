"""What happens to a cluster of several nodes under load: a node dies, configurations change.

Each is a function that does it and waits until the cluster is whole again; ``run`` does all of
them, several times, and tells what became of every document meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from benchmarks.load.background import PATIENCE_S, Traffic, wait_for
from benchmarks.load.runner import summary
from cluster.fake_graph import RECOGNITION, Config, deployment, local_config, with_fakes
from cluster.local_nodes import LocalNodes

NODE = {"num_cpus": 4}
REPLICAS = {"OcrIngress": 2, "Detection": 2, "Classification": 1, RECOGNITION: 2}
DOCUMENTS_PER_S = 4.0
ITEM_MS = 2.0
_BETWEEN = 40


def config(max_lines: int = 400, item_ms: float = ITEM_MS) -> Config:
    """Fakes with a fixed number of replicas. ``max_lines`` is of the tuning, ``item_ms`` of the arguments.

    Replicas that start take the processors of a small machine from those that answer: what is observed is
    who is answered and who is not, not how soon, so a request may take long and is never refused for it.
    """
    changed = with_fakes(local_config(), recognition={"item_ms": item_ms}, detection={"item_ms": 20})
    (application,) = changed["applications"]
    application["args"]["limits"] |= {"request_deadline_s": PATIENCE_S, "max_wait_share": 1.0}
    deployment(changed, "OcrIngress")["graceful_shutdown_timeout_s"] = PATIENCE_S
    for name, number in REPLICAS.items():
        block = deployment(changed, name)
        del block["autoscaling_config"]
        # All new replicas are there before an old one goes.
        block |= {"num_replicas": number, "max_surge_percent": 100, "rolling_update_percentage": 1.0}
    deployment(changed, "Detection")["user_config"]["max_lines"] = max_lines
    return changed


def start_nodes(nodes: LocalNodes) -> None:
    """Two more nodes beside the head."""
    for _ in range(2):
        nodes.add(**NODE)


def nodes_of(nodes: LocalNodes, name: str) -> list[str]:
    """The node of every replica of a deployment."""
    return [replica["node_id"] for replica in nodes.replicas(name)]


def is_whole(nodes: LocalNodes) -> bool:
    """Whether every deployment has just the replicas it should have."""
    return nodes.counts() == REPLICAS


def kill_a_node(nodes: LocalNodes) -> None:
    """Kill the node, but for the head, that has most replicas; its replicas come back on the others."""
    placed = [node for name in REPLICAS for node in nodes_of(nodes, name) if node != nodes.head_id]
    victim = max(sorted(set(placed)), key=placed.count)
    nodes.kill(victim)
    wait_for(lambda: all(victim not in nodes_of(nodes, name) for name in REPLICAS), "the node's death")
    wait_for(lambda: is_whole(nodes), "all replicas again")


def change_tuning(nodes: LocalNodes, round_number: int) -> None:
    """Another threshold in ``user_config``, which replicas take over live; ``args`` stay as they were.

    Rounds count from 0.
    """
    nodes.deploy(config(max_lines=300 + round_number, item_ms=ITEM_MS + 0.1 * round_number))


def change_arguments(nodes: LocalNodes, round_number: int) -> None:
    """Other ``args``, for which every replica is replaced."""
    nodes.deploy(config(max_lines=300 + round_number, item_ms=ITEM_MS + 0.1 * (round_number + 1)))
    wait_for(lambda: is_whole(nodes), "all replicas, and no old one")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done: when, how long until the cluster was whole, and the documents meanwhile."""

    name: str
    at_s: float
    whole_after_s: float


def run(rounds: int, seed: int) -> dict[str, Any]:
    """Kill nodes and change configurations under steady traffic; results for the file."""
    with LocalNodes(NODE) as nodes:
        start_nodes(nodes)
        nodes.deploy(config())
        events: list[Event] = []
        with Traffic(nodes.url, "receipt", DOCUMENTS_PER_S, seed) as traffic:

            def observe(name: str, action: Callable[[], None]) -> None:
                traffic.wait_for_more(_BETWEEN)
                begun_s = traffic.now_s
                action()
                events.append(Event(name, round(begun_s, 1), round(traffic.now_s - begun_s, 1)))

            for number in range(rounds):
                observe("a node is killed", partial(kill_a_node, nodes))
                nodes.add(**NODE)
                observe("other tuning", partial(change_tuning, nodes, number))
                observe("other arguments", partial(change_arguments, nodes, number))
            traffic.wait_for_more(_BETWEEN)
    return {
        "seed": seed,
        "nodes": 3,
        "replicas": REPLICAS,
        "documents_per_s": DOCUMENTS_PER_S,
        "total": summary(traffic.outcomes),
        "events": [_told(event, following, traffic) for event, following in _pairs(events)],
    }


def _pairs(events: list[Event]) -> list[tuple[Event, float]]:
    """Events, each with the time at which the next begins."""
    return list(zip(events, [*(event.at_s for event in events[1:]), float("inf")], strict=True))


def _told(event: Event, until_s: float, traffic: Traffic) -> dict[str, Any]:
    meanwhile = [o for o in traffic.outcomes if event.at_s <= o.arrival.at_s < until_s]
    return {**asdict(event), "documents_until_the_next": summary(meanwhile)}
