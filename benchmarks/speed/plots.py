"""Pictures of a run: throughput and latency against load, and where a page's time goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_OTHERS = {"limit": "limit", "monolith": "monolith", "tesseract": "Tesseract", "serve_batch": "@serve.batch"}
_GROUPS = {
    "Detection": "detection",
    "Classification": "classification",
    "Recognition": "recognition",
    "OcrIngress": "ingress",
    "decoding.worker": "decoders",
}


def draw(figures: Mapping[str, Any], result: Path) -> Path:
    """Write the picture of a run beside its result; returns its path."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 9), constrained_layout=True)
    systems = figures["systems"]
    _throughput(axes[0][0], systems)
    _latency_of_clients(axes[0][1], systems["served"])
    _latency_of_rates(axes[1][0], systems["served"])
    _cost(axes[1][1], systems)
    path = result.with_suffix(".png")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _throughput(axes: Axes, systems: Mapping[str, Any]) -> None:
    closed = systems["served"]["closed"]
    clients = [int(each) for each in closed]
    values = [closed[str(each)]["pages_s"] for each in clients]
    middles = [value["median"] for value in values]
    reach = [
        [value["median"] - value["min"] for value in values],
        [value["max"] - value["median"] for value in values],
    ]
    axes.errorbar(clients, middles, yerr=reach, marker="o", capsize=4, label="served")
    for number, (name, label) in enumerate(_OTHERS.items()):
        if "pages_s" in systems[name]:
            rate = systems[name]["pages_s"]["median"]
            axes.axhline(rate, linestyle="--", color=f"C{number + 1}", label=f"{label} {rate:.2f}")
    axes.set(xscale="log", xlabel="clients (closed loop)", ylabel="pages/s", title="Throughput")
    # Room for the legend above the highest line.
    axes.set_ylim(0, 1.5 * axes.get_ylim()[1])
    axes.set_xticks(clients, [str(each) for each in clients])
    axes.legend()


def _latency_of_clients(axes: Axes, served: Mapping[str, Any]) -> None:
    closed = served["closed"]
    clients = [int(each) for each in closed]
    for share in ("p50", "p95", "p99"):
        axes.plot(
            clients, [closed[str(each)]["latency_ms"][share]["median"] for each in clients], "o-", label=share
        )
    axes.set(
        xscale="log", yscale="log", xlabel="clients (closed loop)", ylabel="latency, ms", title="Latency"
    )
    axes.set_xticks(clients, [str(each) for each in clients])
    axes.legend()


def _latency_of_rates(axes: Axes, served: Mapping[str, Any]) -> None:
    loads = [*served["open"].values(), served["overload"]]
    rates = [load["rate_hz"]["median"] for load in loads]
    for share in ("p50", "p95", "p99"):
        axes.plot(rates, [load["latency_ms"][share]["median"] for load in loads], "o-", label=share)
    refused = [load["refusal_ms"]["p99"]["median"] for load in loads if "refusal_ms" in load]
    if refused:
        axes.plot(rates[-len(refused) :], refused, "rx", label="refusals p99")
    axes.set(
        yscale="log",
        xlabel="requests/s (open loop)",
        ylabel="ms since the request was due",
        title="Latency at fixed rates",
    )
    axes.legend()


def _cost(axes: Axes, systems: Mapping[str, Any]) -> None:
    """Processor time of a page at saturation, by process."""
    closed = systems["served"]["closed"]
    load = closed[max(closed, key=int)]
    total_ms = load["cpu_ms_per_page"]["median"]
    seconds = {name: process["cpu_s"]["median"] for name, process in load["processes"].items()}
    whole = sum(seconds.values()) or 1.0
    parts: dict[str, float] = {}
    for name, spent_s in seconds.items():
        group = next((label for mark, label in _GROUPS.items() if mark in name), "Ray and Serve")
        parts[group] = parts.get(group, 0.0) + total_ms * spent_s / whole
    limit_ms = systems["limit"]["cpu_ms_per_page"]["median"]
    bottom = 0.0
    for name, spent_ms in sorted(parts.items(), key=lambda part: -part[1]):
        axes.bar("served", spent_ms, bottom=bottom, label=f"{name} {spent_ms:.0f} ms")
        bottom += spent_ms
    bottom = 0.0
    steps_ms = {stage: _steps_ms(steps) for stage, steps in systems["limit"]["stages"].items()}
    # Steps are timed by the clock, in one thread: they share the processor time as they do that.
    share = limit_ms / (sum(sum(steps.values()) for steps in steps_ms.values()) or 1.0)
    for number, (stage, steps) in enumerate(steps_ms.items()):
        for step, alpha in (("prepare_ms", 0.4), ("forward_ms", 1.0), ("finish_ms", 0.7)):
            spent_ms = share * steps[step]
            axes.bar(
                "limit", spent_ms, bottom=bottom, color=f"C{number + 5}", alpha=alpha,
                label=f"{stage} {step.removesuffix('_ms')} {spent_ms:.0f} ms" if spent_ms >= 1 else None,
            )  # fmt: skip
            bottom += spent_ms
    axes.set(ylabel="processor ms a page", title=f"Cost of a page (limit {limit_ms:.0f} ms of processor)")
    axes.set_xlim(-0.6, 3.2)
    axes.legend(fontsize=8, loc="upper right")


def _steps_ms(steps: Mapping[str, Any]) -> dict[str, float]:
    return {step: steps[step]["median"] for step in ("prepare_ms", "forward_ms", "finish_ms")}
