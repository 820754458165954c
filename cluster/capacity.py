"""How many replicas and nodes a load needs, and what they cost, from measured stage times.

    python -m cluster.capacity --pages-per-s 50 [--lines-per-page 40] [--result FILE] [--node-price 2.5]

Stage times come from a result of the benchmark (its ``limit``: the engines alone, on full batches),
the newest in benchmarks/results unless one is named, or the one measured on two CPU cores that lies
beside this file. A figure is as good as the machine it was measured on: for a GPU, measure on that
GPU (``make bench``) and name the result. Nothing here is scaled from one kind of machine to another.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DEFAULT_RESULT = Path(__file__).with_name("capacity_default.json")
CONFIG = ROOT / "cluster" / "serve_config.gpu.yaml"

# Where a benchmark has not measured what the service reaches of the limit.
ASSUMED_EFFICIENCY = 0.8
# As in the autoscaling policy: the rest takes up bursts.
UTILISATION = 0.8


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What one page costs a stage on one replica, seconds: its model's time, and its processor's beside it.

    ``per_line`` says whether the cost grows with the lines of a page.
    """

    model_s: float
    processor_s: float
    per_line: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A benchmark's figures, as far as planning needs them."""

    source: str
    machine: str
    on_gpu: bool
    lines_per_page: float
    efficiency: float
    efficiency_is_measured: bool
    stages: Mapping[str, StageTimes]


@dataclass(frozen=True, slots=True)
class Demand:
    """The load to carry: the peak, not the mean."""

    pages_per_s: float
    lines_per_page: float


@dataclass(frozen=True, slots=True)
class Placement:
    """One deployment in the configuration: the processors of a replica, and replicas a node may have."""

    name: str
    num_cpus: float
    num_gpus: float
    per_node: int


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one deployment needs. ``bound_by`` is model or processor, whichever is busier."""

    name: str
    replicas: int
    nodes: int
    bound_by: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What the whole load needs; ``nodes`` has a spare one, so that one may fail.

    ``cores`` is the processor time of the stages, at the utilisation aimed at; the ingress has its own.
    """

    stages: tuple[StagePlan, ...]
    nodes: int
    cores: float


def read_result(path: Path) -> Measured:
    """The figures of a benchmark result.

    Raises ValueError for a file without stage times.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        limit = content["systems"]["limit"]
        stages = {
            stage: StageTimes(
                _middle(times["forward_ms"]) / 1000,
                (_middle(times["prepare_ms"]) + _middle(times["finish_ms"])) / 1000,
                per_line=stage != "detection",
            )
            for stage, times in limit["stages"].items()
        }
        lines_per_page = _middle(limit["crops_per_page"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} has no stage times: {error} is missing") from None
    reached = (content.get("ratios") or {}).get("served_over_limit")
    return Measured(
        path.name,
        _machine(content.get("machine") or {}),
        str(content.get("device", "")).startswith("cuda"),
        lines_per_page,
        _middle(reached) if reached else ASSUMED_EFFICIENCY,
        bool(reached),
        stages,
    )


def _middle(figure: Any) -> float:
    """A figure, or the median of its trials."""
    return float(figure["median"] if isinstance(figure, Mapping) else figure)


def newest_result() -> Path:
    """The newest full benchmark with stage times; the figures beside this file where there is none."""
    for path in sorted(RESULTS.glob("speed-[0-9]*.json"), reverse=True):
        with contextlib.suppress(ValueError):
            read_result(path)
            return path
    return DEFAULT_RESULT


def _machine(machine: Mapping[str, Any]) -> str:
    parts = [str(machine[key]) for key in ("gpu", "processor") if machine.get(key)]
    return ", ".join([*parts, *([f"{machine['cores']} cores"] if machine.get("cores") else [])])


def placements(config: Mapping[str, Any]) -> dict[str, Placement]:
    """The stages of a Serve configuration, by the benchmark's names for them."""
    found = {}
    for block in config["applications"][0]["deployments"]:
        name, options = str(block["name"]), block["ray_actor_options"]
        stage = "recognition" if name.startswith("Recognition") else name.lower()
        found[stage] = Placement(
            name,
            float(options["num_cpus"]),
            float(options.get("num_gpus", 0)),
            int(block.get("max_replicas_per_node", 1)),
        )
    return found


def plan(measured: Measured, demand: Demand, where: Mapping[str, Placement]) -> Plan:
    """Replicas of every stage, and nodes that hold them.

    Each stage was measured with the machine to itself. Replicas that share a card share its time, so
    there are as many cards as the models of all stages keep busy, whatever each stage needs alone.
    """
    usable = UTILISATION * measured.efficiency
    stages = []
    models = processors = 0.0
    for stage, times in measured.stages.items():
        placement = where[stage]
        pages_s = demand.pages_per_s
        if times.per_line:
            pages_s *= demand.lines_per_page / measured.lines_per_page
        model, processor = pages_s * times.model_s, pages_s * times.processor_s / placement.num_cpus
        models, processors = models + model, processors + pages_s * times.processor_s
        replicas = max(1, ceil(max(model, processor) / usable))
        stages.append(
            StagePlan(
                placement.name,
                replicas,
                ceil(replicas / placement.per_node),
                "model" if model >= processor else "processor",
            )
        )
    nodes = max(each.nodes for each in stages)
    if measured.on_gpu:
        return Plan(tuple(stages), max(nodes, ceil(models / usable)) + 1, processors / usable)
    return Plan(tuple(stages), nodes + 1, (models + processors) / usable)


def report(measured: Measured, demand: Demand, found: Plan, node_price: float | None) -> str:
    """The plan in words, with where its figures come from."""
    known = "measured" if measured.efficiency_is_measured else "assumed, not measured"
    lines = [
        f"{demand.pages_per_s:g} pages/s of {demand.lines_per_page:g} lines, by {measured.source}",
        f"  measured on     {measured.machine or 'an unnamed machine'}",
        f"  of the limit    {measured.efficiency:.0%} ({known}), at {UTILISATION:.0%} utilisation",
        *([] if measured.on_gpu else ["  without a GPU   a replica counts as one processor here"]),
        "",
        f"  {'deployment':<18}{'replicas':>9}{'nodes':>7}   bound by",
        *(f"  {s.name:<18}{s.replicas:>9}{s.nodes:>7}   {s.bound_by}" for s in found.stages),
        "",
        f"  {found.nodes} nodes, one of them spare; {found.cores:.1f} processors at work in the stages",
    ]
    if node_price is not None:
        an_hour = found.nodes * node_price
        thousand = an_hour / (demand.pages_per_s * 3.6)
        lines.append(f"  {an_hour:.2f} an hour, {thousand:.4f} for a thousand pages at that load")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages-per-s", type=float, required=True, help="pages a second at the peak")
    parser.add_argument("--lines-per-page", type=float, help="default: those of the benchmark's pages")
    parser.add_argument("--result", type=Path, help="a result of the benchmark; default: the newest")
    parser.add_argument("--config", type=Path, default=CONFIG, help="Serve configuration")
    parser.add_argument("--node-price", type=float, help="what a node costs an hour")
    options = parser.parse_args(arguments)
    try:
        measured = read_result(options.result or newest_result())
    except (OSError, ValueError) as error:
        print(f"no stage times: {error}", file=sys.stderr)
        return 2
    where = placements(yaml.safe_load(options.config.read_text(encoding="utf-8")))
    if measured.stages.keys() != where.keys() - {"ocringress"}:
        stages, placed = (
            ", ".join(sorted(each)) for each in (measured.stages, where.keys() - {"ocringress"})
        )
        print(f"{measured.source} has times of {stages}; the configuration places {placed}", file=sys.stderr)
        return 2
    if options.pages_per_s <= 0 or (options.lines_per_page or 1) <= 0:
        print("pages and lines must be more than none", file=sys.stderr)
        return 2
    demand = Demand(options.pages_per_s, options.lines_per_page or measured.lines_per_page)
    print(report(measured, demand, plan(measured, demand, where), options.node_price))
    return 0


if __name__ == "__main__":
    sys.exit(main())
