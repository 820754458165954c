"""Results of the benchmark, as far as planning needs them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DEFAULT_RESULT = Path(__file__).with_name("default.json")

# Where a benchmark has not measured what the service reaches of the limit.
ASSUMED_EFFICIENCY = 0.8
# Processes whose work is the ingress's, by a part of the name that the benchmark gives them.
_INGRESS_PROCESSES = ("OcrIngress", "serve_app.decoding.worker")


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What one page costs a stage on one replica, seconds: its model's time, and its processor's beside it.

    Without a GPU both are processor time, busy seconds of a core.

    ``per_line`` says whether the cost grows with the lines of a page.
    """

    model_s: float
    processor_s: float
    per_line: bool


@dataclass(frozen=True, slots=True)
class Served:
    """The service at saturation: pages a second, and processor seconds a page, of all and of the ingress."""

    pages_per_s: float
    processor_s: float
    ingress_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A benchmark's figures. ``processes`` ran the limit, each with all stages; ``limit_pages_per_s`` is
    that of all of them, 0 where it is not told."""

    source: str
    machine: str
    on_gpu: bool
    lines_per_page: float
    efficiency: float
    efficiency_is_measured: bool
    stages: Mapping[str, StageTimes]
    processes: int = 1
    limit_pages_per_s: float = 0.0
    served: Served | None = None


def read_result(path: Path) -> Measured:
    """The figures of a benchmark result.

    Raises ValueError for a file without stage times, or with figures that are none.
    """
    try:
        return _measured(path.name, json.loads(path.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{path.name} has no stage times that make sense: {error!r}") from None


def _measured(name: str, content: Mapping[str, Any]) -> Measured:
    limit = content["systems"]["limit"]
    on_gpu = str(content.get("device", "")).startswith("cuda")
    stages, lines_per_page = _stages(limit, on_gpu), _middle(limit["crops_per_page"])
    reached = (content.get("ratios") or {}).get("served_over_limit")
    efficiency = _middle(reached) if reached else ASSUMED_EFFICIENCY
    if 0 in (sum(times.model_s for times in stages.values()), lines_per_page, efficiency):
        raise ValueError("models that take no time, pages without lines, or nothing reached")
    return Measured(
        name,
        _machine(content.get("machine") or {}),
        on_gpu,
        lines_per_page,
        efficiency,
        bool(reached),
        stages,
        round(_middle(limit.get("processes", 1))),
        _middle(limit.get("pages_s", 0.0)),
        _served(content),
    )


def _stages(limit: Mapping[str, Any], on_gpu: bool) -> dict[str, StageTimes]:
    """The times of each stage.

    The benchmark divides wall time among the steps. On processors that others used as well, a page took
    longer than it kept one busy: there the steps are parts of the processor time of a page.
    """
    steps = {
        stage: [_middle(times[f"{step}_ms"]) / 1000 for step in ("prepare", "forward", "finish")]
        for stage, times in limit["stages"].items()
    }
    share = 1.0
    if not on_gpu and "cpu_ms_per_page" in limit:
        share = _middle(limit["cpu_ms_per_page"]) / 1000 / sum(map(sum, steps.values()))
    return {
        stage: StageTimes(forward * share, (prepare + finish) * share, per_line=stage != "detection")
        for stage, (prepare, forward, finish) in steps.items()
    }


def newest_result(machine: str = "") -> Path:
    """The newest full benchmark taken on ``machine``, a part of the name of its GPU or processor.

    Without a name the figures beside this file where there is none; with one, raises ValueError.
    """
    found: dict[Path, str] = {}
    for path in RESULTS.glob("20*.json"):
        try:
            matches = machine.lower() in read_result(path).machine.lower()
        except ValueError:
            continue
        if matches:
            found[path] = str(json.loads(path.read_text(encoding="utf-8")).get("measured", ""))
    if found:
        return max(found, key=lambda path: (found[path], path.name))
    if machine:
        raise ValueError(f"nothing in benchmarks/results was measured on {machine!r}; run make bench there")
    return DEFAULT_RESULT


def _served(content: Mapping[str, Any]) -> Served | None:
    """The load with most clients, if the service was measured."""
    loads = (content["systems"].get("served") or {}).get("closed") or {}
    if not loads:
        return None
    load = loads[max(loads, key=int)]
    pages_per_s = _middle(load["pages_s"])
    ingress_s = sum(
        _middle(process["cpu_s"])
        for name, process in load["processes"].items()
        if any(part in name for part in _INGRESS_PROCESSES)
    )
    pages = pages_per_s * float(content["seconds"])
    return Served(pages_per_s, _middle(load["cpu_ms_per_page"]) / 1000, ingress_s / max(pages, 1.0))


def _middle(figure: Any) -> float:
    """A figure, or the median of its trials."""
    number = float(figure["median"] if isinstance(figure, Mapping) else figure)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{number} is no figure of a benchmark")
    return number


def _machine(machine: Mapping[str, Any]) -> str:
    parts = [str(machine[key]) for key in ("gpu", "processor") if machine.get(key)]
    return ", ".join([*parts, *([f"{machine['cores']} cores"] if machine.get("cores") else [])])
