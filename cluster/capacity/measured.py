"""Results of the benchmark, as far as planning needs them."""

from __future__ import annotations

import json
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

    Raises ValueError for a file without stage times.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
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
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} has no stage times: {error!r}") from None
    reached = (content.get("ratios") or {}).get("served_over_limit")
    return Measured(
        path.name,
        _machine(content.get("machine") or {}),
        str(content.get("device", "")).startswith("cuda"),
        lines_per_page,
        _middle(reached) if reached else ASSUMED_EFFICIENCY,
        bool(reached),
        stages,
        round(_middle(limit.get("processes", 1))),
        _middle(limit.get("pages_s", 0.0)),
        _served(content),
    )


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
    return float(figure["median"] if isinstance(figure, Mapping) else figure)


def _machine(machine: Mapping[str, Any]) -> str:
    parts = [str(machine[key]) for key in ("gpu", "processor") if machine.get(key)]
    return ", ".join([*parts, *([f"{machine['cores']} cores"] if machine.get("cores") else [])])
