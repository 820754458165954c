"""What one trial's figures say of each other, and what they should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Least ratios and greatest times on two cores of a CPU.
LEAST = {
    "served_over_limit": 0.85,
    "served_over_monolith": 3.0,
    "served_over_tesseract": 3.0,
    "overload_over_saturation": 0.9,
}
MOST = {"added_ms": 15.0, "refusal_p99_ms": 50.0, "failed_share": 0.0}
_OTHERS = ("limit", "limit_one_process", "monolith", "tesseract", "serve_batch")


def ratios(trial: Mapping[str, Any]) -> dict[str, float]:
    """Ratios of throughput, and the times that have a bound; what was skipped is left out.

    ``served`` is the throughput at the greatest number of clients, in pages per second. Ratios
    ``by_processor`` compare the processor time of a page, which other work on the machine hardly
    changes: what the throughputs would be to each other on processors that are kept busy.
    """
    served = trial["served"]
    closed = served["closed"]
    pages_s = closed[max(closed, key=int)]["pages_s"]
    found = {"added_ms": trial["lone"]["added_ms"]}
    for other in _OTHERS:
        if rate := trial[other].get("pages_s"):
            found[f"served_over_{other}"] = pages_s / rate
    for other in _OTHERS:
        if cpu_ms := trial[other].get("cpu_ms_per_page"):
            found[f"served_over_{other}_by_processor"] = (
                cpu_ms / closed[max(closed, key=int)]["cpu_ms_per_page"]
            )
    overload = served["overload"]
    if pages_s:
        found["overload_over_saturation"] = overload["pages_s"] / pages_s
    if "refusal_ms" in overload:
        found["refusal_p99_ms"] = overload["refusal_ms"]["p99"]
    if overload["requests"]:
        found["refused_share"] = overload["refused"] / overload["requests"]
        found["accepted_p99_ms"] = overload["latency_ms"]["p99"]
        found["failed_share"] = overload["failed"] / overload["requests"]
    return found


def shortfalls(medians: Mapping[str, float]) -> list[str]:
    """Which bounds the medians of a run miss, in words."""
    missed = [
        f"{name} is {medians[name]:.2f}, to be at least {least:g}"
        for name, least in LEAST.items()
        if medians.get(name, least) < least
    ]
    return missed + [
        f"{name} is {medians[name]:.3g}, to be at most {most:g}"
        for name, most in MOST.items()
        if medians.get(name, most) > most
    ]
