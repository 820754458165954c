"""From times and load to replicas, cards and nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from cluster.capacity.demand import Demand
from cluster.capacity.measured import Measured

# As in the autoscaling policy: the rest takes up bursts.
UTILISATION = 0.8
INGRESS = "ocringress"
# Fractions of a card are given in steps of this.
_FRACTION_STEP = 0.05


@dataclass(frozen=True, slots=True)
class Placement:
    """One deployment in the configuration: what a replica has of a node, replicas a node may have, and
    replicas there may be, None for any number."""

    name: str
    num_cpus: float
    num_gpus: float
    per_node: int
    max_replicas: int | None = None


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one deployment needs. ``bound_by`` is model or processor, whichever is busier.

    ``card_share`` is the stage's part of what all models together take of the cards.
    """

    name: str
    replicas: int
    nodes: int
    bound_by: str
    card_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the whole load needs; ``nodes`` has a spare one, so that one may fail.

    ``cores`` is the processor time of stages and ingress, at the utilisation aimed at; ``cards`` how
    many cards the models keep busy, 0 without GPUs.
    """

    stages: tuple[StagePlan, ...]
    nodes: int
    cores: float
    cards: float


def placements(config: Mapping[str, Any]) -> dict[str, Placement]:
    """The deployments of a Serve configuration, stages by the benchmark's names for them."""
    found = {}
    for block in config["applications"][0]["deployments"]:
        name, options = str(block["name"]), block["ray_actor_options"]
        stage = "recognition" if name.startswith("Recognition") else name.lower()
        found[stage] = Placement(
            name,
            float(options["num_cpus"]),
            float(options.get("num_gpus", 0)),
            int(block.get("max_replicas_per_node", 1)),
            int(block["autoscaling_config"]["max_replicas"]) if "autoscaling_config" in block else None,
        )
        _check(found[stage])
    return found


def _check(placement: Placement) -> None:
    numbers = (placement.num_cpus, placement.num_gpus, placement.per_node, placement.max_replicas or 1)
    if not all(math.isfinite(number) for number in numbers) or min(numbers) < 0:
        raise ValueError(f"{placement.name}: its resources are not finite numbers from 0 on")
    if placement.num_cpus == 0 or placement.per_node == 0:
        raise ValueError(f"{placement.name}: a replica needs processors, and a place on a node")


def plan(measured: Measured, demand: Demand, where: Mapping[str, Placement]) -> Plan:
    """Replicas of every deployment, and nodes that hold them.

    Each stage was measured with the machine to itself. Replicas that share a card share its time, so
    there are as many cards as the models of all stages keep busy, whatever each stage needs alone.
    """
    usable = UTILISATION * measured.efficiency
    model_s, processor_s = {}, {}
    for stage, times in measured.stages.items():
        lines = demand.lines_per_page / measured.lines_per_page if times.per_line else 1.0
        model_s[stage] = demand.pages_per_s * lines * times.model_s
        processor_s[stage] = demand.pages_per_s * lines * times.processor_s
    models = sum(model_s.values())
    stages = [
        _stage(where[stage], model_s[stage], processor_s[stage], usable, model_s[stage] / models)
        for stage in measured.stages
    ]
    ingress_s = demand.pages_per_s * measured.served.ingress_s if measured.served else 0.0
    if measured.served and INGRESS in where:
        # What it takes was measured in the service, not alone: no efficiency on top.
        stages.append(_stage(where[INGRESS], 0.0, ingress_s, UTILISATION, 0.0))
    cores = sum(processor_s.values()) / usable + ingress_s / UTILISATION
    nodes = max(each.nodes for each in stages)
    if measured.on_gpu:
        cards = models / usable
        return Plan(tuple(stages), max(nodes, ceil(cards)) + 1, cores, cards)
    return Plan(tuple(stages), nodes + 1, cores + models / usable, 0.0)


def _stage(
    placement: Placement, model_s: float, processor_s: float, usable: float, card_share: float
) -> StagePlan:
    processor = processor_s / placement.num_cpus
    replicas = max(1, ceil(max(model_s, processor) / usable))
    nodes = ceil(replicas / placement.per_node)
    bound_by = "model" if model_s >= processor else "processor"
    return StagePlan(placement.name, replicas, nodes, bound_by, card_share)


def fractions(found: Plan, where: Mapping[str, Placement]) -> dict[str, float]:
    """``num_gpus`` of a replica of each stage, so that a card is shared as the models use it.

    In steps of a twentieth, and together no more than one card for the replicas of a node.
    """
    by_name = {each.name: each for each in where.values()}
    shared = {}
    for stage in found.stages:
        per_node = by_name[stage.name].per_node
        if stage.card_share:
            steps = round(stage.card_share / per_node / _FRACTION_STEP)
            shared[stage.name] = max(1, steps)
    while sum(steps * by_name[name].per_node for name, steps in shared.items()) * _FRACTION_STEP > 1 + 1e-9:
        largest = max(shared, key=lambda name: shared[name])
        shared[largest] -= 1
    return {name: round(steps * _FRACTION_STEP, 2) for name, steps in shared.items()}


def allowed_nodes(where: Mapping[str, Placement]) -> int | None:
    """Nodes on which every deployment may still start replicas; None where none is bounded."""
    bounded = [ceil(each.max_replicas / each.per_node) for each in where.values() if each.max_replicas]
    return min(bounded, default=None)


def carried_pages_per_s(measured: Measured) -> float:
    """What the measured machine should carry at its limit, by its stage times alone."""
    page_s = sum(times.model_s + times.processor_s for times in measured.stages.values())
    return measured.processes / page_s * measured.efficiency
