"""A plan in words, with where its figures come from."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.capacity.demand import Demand
from cluster.capacity.measured import Measured
from cluster.capacity.plan import (
    UTILISATION,
    Placement,
    Plan,
    allowed_nodes,
    carried_pages_per_s,
    fractions,
)


def report(
    measured: Measured,
    demand: Demand,
    found: Plan,
    where: Mapping[str, Placement],
    node_price: float | None,
) -> str:
    """The plan, and its price where a node has one."""
    load = f"{demand.pages_per_s:g} pages/s of {demand.lines_per_page:g} lines"
    if demand.pages_per_document != 1:
        load = f"{demand.pages_per_s / demand.pages_per_document:g} documents/s, {load}"
    known = "measured" if measured.efficiency_is_measured else "assumed, not measured"
    lines = [
        f"{load}, by {measured.source}",
        f"  measured on     {measured.machine or 'an unnamed machine'}",
        f"  of the limit    {measured.efficiency:.0%} ({known}), at {UTILISATION:.0%} utilisation",
        *([] if measured.on_gpu else ["  without a GPU   a replica counts as one processor here"]),
        *([] if measured.served else ["  ingress         not measured, and not in the plan"]),
        "",
        f"  {'deployment':<18}{'replicas':>9}{'nodes':>7}   bound by",
        *(f"  {s.name:<18}{s.replicas:>9}{s.nodes:>7}   {s.bound_by}" for s in found.stages),
        "",
        f"  {found.nodes} nodes, one of them spare; {found.cores:.1f} processors at work",
    ]
    if measured.on_gpu:
        shares = ", ".join(f"{name} {share:g}" for name, share in fractions(found, where).items())
        lines.append(f"  {found.cards:.1f} cards at work; num_gpus of a replica by use: {shares}")
    if node_price is not None:
        lines.append(f"  {_price(demand, found, node_price)}")
    lines += [f"  WARNING: {warning}" for warning in warnings(measured, found, where)]
    return "\n".join(lines)


def warnings(measured: Measured, found: Plan, where: Mapping[str, Placement]) -> list[str]:
    """What the plan does not hold for: another kind of machine, or more than the configuration allows."""
    said = []
    if measured.on_gpu != any(each.num_gpus for each in where.values()):
        here, there = ("on a GPU", "without") if measured.on_gpu else ("without a GPU", "with GPUs")
        said.append(f"measured {here}, for a configuration {there}: measure on such a machine")
    allowed = allowed_nodes(where)
    if allowed is not None and found.nodes > allowed:
        said.append(
            f"the configuration has room for {allowed} nodes: raise max_replicas of every deployment, and "
            "the nodes that the cluster may have"
        )
    return said


def _price(demand: Demand, found: Plan, node_price: float) -> str:
    an_hour = found.nodes * node_price
    thousand_pages = an_hour / (demand.pages_per_s * 3.6)
    said = f"{an_hour:.2f} an hour, {thousand_pages:.4f} for a thousand pages at that load"
    if demand.pages_per_document != 1:
        said += f", {thousand_pages * demand.pages_per_document:.4f} for a thousand documents"
    return said


def comparison(measured: Measured) -> str:
    """What the stage times promise for the machine they were taken on, beside what its service did.

    Raises ValueError for a result in which the service was not measured.
    """
    if measured.served is None:
        raise ValueError(f"{measured.source} has no figures of the service to compare with")
    served = measured.served
    promised = carried_pages_per_s(measured)
    stages_s = sum(times.model_s + times.processor_s for times in measured.stages.values())
    others_s = served.processor_s - served.ingress_s - stages_s
    return "\n".join(
        [
            f"{measured.source}, {measured.machine}",
            f"  pages/s of the engines alone   {measured.limit_pages_per_s:.2f} measured, "
            f"{promised / measured.efficiency:.2f} by the times of the stages",
            f"  pages/s of the service         {served.pages_per_s:.2f} measured, {promised:.2f} by the plan",
            f"  processor time of a page       {served.processor_s * 1000:.0f} ms: stages "
            f"{stages_s * 1000:.0f}, ingress {served.ingress_s * 1000:.0f}, calls, Ray and what is cut of "
            f"full batches {others_s * 1000:.0f}",
        ]
    )
