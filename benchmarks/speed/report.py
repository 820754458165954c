"""The figures of a run as a table in Markdown: for the terminal and for docs/benchmarks.md.

python -m benchmarks.speed.report [RESULT.json]      puts the table into docs/benchmarks.md
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.records import RESULTS
from benchmarks.speed.ratios import LEAST, MOST
from serve_app.environment import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- last result -->", "<!-- end of last result -->"

_RATIOS = {
    "served_over_limit": "throughput over the limit of the engines",
    "served_over_limit_one_process": "throughput over the engines in one process with two threads",
    "served_over_monolith": "throughput over the monolith",
    "served_over_tesseract": "throughput over Tesseract",
    "served_over_serve_batch": "throughput over the graph with `@serve.batch`",
    "served_over_limit_by_processor": "limit's processor time of a page over the service's",
    "served_over_monolith_by_processor": "monolith's processor time of a page over the service's",
    "served_over_tesseract_by_processor": "Tesseract's processor time of a page over the service's",
    "served_over_serve_batch_by_processor": "processor time of a page with `@serve.batch` over the service's",
    "added_ms": "added to a lone request, ms",
    "overload_over_saturation": "throughput at 3x overload over saturation",
    "refusal_p99_ms": "a refusal, 99th percentile, ms",
    "accepted_p99_ms": "an accepted request at 3x overload, 99th percentile, ms",
    "refused_share": "refused at 3x overload, share",
    "failed_share": "failed at 3x overload, share",
}


def table(figures: Mapping[str, Any]) -> str:
    """Ratios, loads and costs of a run."""
    return "\n\n".join("\n".join(part(figures)) for part in (_ratios, _loads, _costs, _stages))


def newest() -> Path:
    """The last full run among the results. Raises FileNotFoundError where there is none."""
    runs = {path: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("20*.json")}
    if not runs:
        raise FileNotFoundError(f"{RESULTS}: no result of make bench")
    return max(runs, key=lambda path: str(runs[path]["measured"]))


def section(path: Path) -> str:
    """What stands in the document between the marks."""
    figures = json.loads(path.read_text(encoding="utf-8"))
    machine = figures["machine"]
    about = (
        f"`{path.name}`: {figures['measured'][:10]}, commit {figures['commit']}, {machine['processor']}, "
        f"{machine['cores']} cores, {figures['trials']} trials, {figures['pages']['number']} pages "
        f"({figures['pages']['source']}). Medians, with the least and the greatest of the trials."
    )
    missed = "; ".join(_missed(figures)) or "none"
    picture = f"![Throughput, latency and cost](../benchmarks/results/{path.with_suffix('.png').name})"
    parts = (BEGIN, about, f"Goals missed: {missed}.", table(figures), picture, END)
    return "\n\n".join(parts)


def _missed(figures: Mapping[str, Any]) -> Iterator[str]:
    medians = figures["ratios"]
    for name, words in _RATIOS.items():
        if medians.get(name, LEAST.get(name, 0.0)) < LEAST.get(name, -math.inf):
            yield f"{words} {_short(medians[name])} (at least {LEAST[name]:g})"
        if medians.get(name, 0.0) > MOST.get(name, math.inf):
            yield f"{words} {_short(medians[name])} (at most {MOST[name]:g})"


def _ratios(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "| ratio or time | median | least | greatest | to reach on two cores |"
    yield "|---|---|---|---|---|"
    for name, words in _RATIOS.items():
        if name in figures["ratio_spreads"]:
            value = figures["ratio_spreads"][name]
            goal = f">= {LEAST[name]:g}" if name in LEAST else f"<= {MOST[name]:g}" if name in MOST else ""
            yield f"| {words} | {_cells(value)} | {goal} |"


def _loads(figures: Mapping[str, Any]) -> Iterator[str]:
    served = figures["systems"]["served"]
    yield "| load on the service | pages/s | p50 ms | p95 ms | p99 ms | refused |"
    yield "|---|---|---|---|---|---|"
    loads = {f"closed loop, {clients} clients": load for clients, load in served["closed"].items()}
    loads |= {f"open loop, {float(share):.0%} of saturation": load for share, load in served["open"].items()}
    for words, load in {**loads, "open loop, 300% of saturation": served["overload"]}.items():
        shown = [_middle(load["latency_ms"][share]) for share in ("p50", "p95", "p99")]
        yield f"| {words} | {_middle(load['pages_s'])} | {' | '.join(shown)} | {_middle(load['refused'])} |"


def _costs(figures: Mapping[str, Any]) -> Iterator[str]:
    systems = figures["systems"]
    closed = systems["served"]["closed"]
    served = {**closed[max(closed, key=int)], "cold_start_s": systems["served"]["cold_start_s"]}
    yield "| system | pages/s | processor ms a page | memory MiB | cold start s |"
    yield "|---|---|---|---|---|"
    shown = {"served": served, "served, one client": closed[min(closed, key=int)]}
    shown |= {name: systems[name] for name in systems if name not in ("served", "lone")}
    for name, system in shown.items():
        if "skipped" in system:
            yield f"| {name} | {system['skipped']} | | | |"
            continue
        cells = (system.get(key) for key in ("pages_s", "cpu_ms_per_page", "memory_mib", "cold_start_s"))
        yield f"| {name} | " + " | ".join(_middle(cell) if cell else "" for cell in cells) + " |"


def _stages(figures: Mapping[str, Any]) -> Iterator[str]:
    systems = figures["systems"]
    closed = systems["served"]["closed"]
    columns = ("items_per_step", "padding", "step_ms", "queue_wait_ms")
    yield "| stage at saturation | items a step | padding | step ms | queue wait ms |"
    yield "|---|---|---|---|---|"
    for system, load in (("served", closed[max(closed, key=int)]), ("serve_batch", systems["serve_batch"])):
        for stage, values in load.get("stages", {}).items():
            yield f"| {system} {stage} | " + " | ".join(_middle(values[column]) for column in columns) + " |"


def _cells(value: Mapping[str, Any]) -> str:
    return " | ".join(_short(value[key]) for key in ("median", "min", "max"))


def _middle(value: Mapping[str, Any]) -> str:
    return _short(value["median"])


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else newest()
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(before + section(path) + after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
