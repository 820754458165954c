"""One trial: every system in turn, each alone on the machine, under the same load from the same pages."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.processes import Meter
from benchmarks.speed import limit, lone, stage_metrics, systems, tesseract_pages
from benchmarks.speed.client import http_client
from benchmarks.speed.load import Load, Send, closed_loop, lone_client, open_loop
from benchmarks.speed.pages import PageSet
from benchmarks.tesseract import is_installed

SATURATION_CLIENTS = 64
OVERLOAD = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often.

    ``saturation_s``: the measured span where throughput is compared, several times that of the other
    loads, so that pages of every kind come in equal shares. ``open_shares`` are rates as shares of the
    throughput at saturation.
    """

    trials: int = 3
    seconds: float = 8.0
    saturation_s: float = 24.0
    warm_s: float = 12.0
    clients: tuple[int, ...] = (1, 4, 16, SATURATION_CLIENTS)
    open_shares: tuple[float, ...] = (0.5, 0.8)
    overload_s: float = 15.0
    lone_rounds: int = 1
    processes: int = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: a Serve configuration, on which pages, and how."""

    content: Mapping[str, Any]
    pages: PageSet
    pages_from: Path | None
    plan: Plan


def run(setting: Setting) -> dict[str, Any]:
    """The figures of one trial, by system."""
    figures: dict[str, Any] = {}
    parts = {
        "limit": _limit, "limit_one_process": _limit_one_process, "served": _served,
        "monolith": _monolith, "tesseract": _tesseract, "serve_batch": _serve_batch,
    }  # fmt: skip
    for name, part in parts.items():
        print(f"  {name}", file=sys.stderr, flush=True)
        figures[name] = part(setting)
    with systems.config_file(setting.content) as config:
        alone_ms = lone.run(config, setting.pages_from, setting.plan.lone_rounds)
    figures["lone"] = lone_figures(figures["served"].pop("lone_ms"), alone_ms)
    return figures


def lone_figures(served_ms: Sequence[float], alone_ms: Sequence[float]) -> dict[str, float]:
    """A lone request over HTTP beside the same page in one process; medians over pages."""
    added = [served - alone for served, alone in zip(served_ms, alone_ms, strict=True)]
    return {"served_ms": median(served_ms), "alone_ms": median(alone_ms), "added_ms": median(added)}


def _limit(setting: Setting) -> dict[str, Any]:
    # Rounds over all pages are never broken off: a short span does.
    plan = setting.plan
    return limit.run(dict(setting.content), setting.pages, plan.processes, plan.seconds)


def _limit_one_process(setting: Setting) -> dict[str, Any]:
    plan = setting.plan
    return limit.run(dict(setting.content), setting.pages, 1, plan.seconds, threads=plan.processes)


def _served(setting: Setting) -> dict[str, Any]:
    return asyncio.run(_measure_served(systems.service(setting.content), setting))


def _serve_batch(setting: Setting) -> dict[str, Any]:
    graph = systems.with_serve_batch(setting.content)
    return asyncio.run(_saturate(systems.service(graph), setting, SATURATION_CLIENTS))


def _monolith(setting: Setting) -> dict[str, Any]:
    # It reads one page at a time: a few clients keep it busy.
    return asyncio.run(_saturate(systems.monolith(setting.content), setting, clients=4))


def _tesseract(setting: Setting) -> dict[str, Any]:
    if not is_installed():
        return {"skipped": tesseract_pages.SKIPPED}
    return dict(tesseract_pages.run(setting.pages.pages, setting.plan.processes))


async def _measure_served(
    system: AbstractContextManager[systems.Running], setting: Setting
) -> dict[str, Any]:
    plan, pages = setting.plan, setting.pages.pages
    with system as running:
        async with http_client(running.url) as send:
            await lone_client(send, pages, 1)
            alone = await lone_client(send, pages, plan.lone_rounds)
            most = max(plan.clients)
            closed = {
                str(clients): await _closed(running, send, setting, clients, clients == most)
                for clients in plan.clients
            }
            saturation_hz = closed[str(most)]["pages_s"]
            opened = {}
            for share in plan.open_shares:
                load = await open_loop(
                    send, pages, share * saturation_hz, plan.seconds, warm_s=plan.warm_s / 4
                )
                opened[f"{share:g}"] = {"rate_hz": share * saturation_hz, **load.figures()}
            overload = await open_loop(
                send, pages, OVERLOAD * saturation_hz, plan.overload_s, warm_s=plan.warm_s
            )
    return {
        "cold_start_s": running.cold_start_s,
        "lone_ms": [1000 * median(times) for _, times in sorted(alone.items())],
        "closed": closed,
        "open": opened,
        "overload": {"rate_hz": OVERLOAD * saturation_hz, **overload.figures()},
    }


async def _saturate(
    system: AbstractContextManager[systems.Running], setting: Setting, clients: int
) -> dict[str, Any]:
    with system as running:
        async with http_client(running.url) as send:
            await lone_client(send, setting.pages.pages, 1)
            figures = await _closed(running, send, setting, clients, is_saturated=True)
    return {"cold_start_s": running.cold_start_s, **figures}


async def _closed(
    running: systems.Running, send: Send, setting: Setting, clients: int, is_saturated: bool
) -> dict[str, Any]:
    """A closed loop with what it cost: processor time and memory by process, and the stages' steps."""
    plan = setting.plan
    warm_s = plan.warm_s * min(1.0, clients / SATURATION_CLIENTS + 0.1)
    seconds = plan.saturation_s if is_saturated else plan.seconds
    page = stage_metrics.find_page(running.processes)

    async def metered() -> tuple[Meter, dict[str, Any]]:
        await asyncio.sleep(warm_s)
        meter, before = Meter(running.processes), _samples(page)
        await asyncio.sleep(seconds)
        meter.stop()
        return meter, stage_metrics.figures(before, _samples(page))

    metering = asyncio.create_task(metered())
    load: Load = await closed_loop(send, setting.pages.pages, clients, seconds, warm_s)
    meter, stages = await metering
    figures = load.figures()
    read = figures["pages_s"] * seconds
    costs = meter.costs()
    return {
        **figures,
        "cpu_ms_per_page": 1000 * sum(cost.cpu_s for cost in costs.values()) / max(read, 1),
        "memory_mib": sum(cost.pss_mib for cost in costs.values()),
        "processes": {name: asdict(cost) for name, cost in costs.items()},
        "stages": stages,
    }


def _samples(page: str | None) -> stage_metrics.Samples:
    return stage_metrics.samples((stage_metrics.read(page) or "") if page else "")
