"""How fast the service is, beside its limit and beside other ways to do the same: ``make bench``.

    python -m benchmarks.speed [CONFIG] [--pages DIRECTORY] [--device cuda] [--quick]

Systems take turns on the machine, ``--trials`` times over, so that whatever else happens on it
meets all of them. Figures are medians over trials with the least and the greatest; ratios are taken
within a trial. docs/benchmarks.md says what each figure means.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from benchmarks.records import DATA, RESULTS, write_of_commit
from benchmarks.speed import report
from benchmarks.speed.graph import read_yaml
from benchmarks.speed.pages import find_pages
from benchmarks.speed.plots import draw
from benchmarks.speed.ratios import ratios, shortfalls
from benchmarks.speed.statistics import medians, merge_trials
from benchmarks.speed.systems import for_device
from benchmarks.speed.trial import Plan, Setting
from benchmarks.speed.trial import run as run_trial
from serve_app.environment import ROOT

GPU_CONFIG = ROOT / "cluster" / "serve_config.gpu.yaml"
QUICK = Plan(trials=1, seconds=4, saturation_s=6, warm_s=3, clients=(1, 64), open_shares=(0.5,), overload_s=6)


def measure(
    setting: Setting, trial: Callable[[Setting], dict[str, Any]] = run_trial
) -> Iterator[dict[str, Any]]:
    """The trials of a setting merged, after each of them; ``trial`` runs one."""
    started_s = time.monotonic()
    trials, compared = [], []
    for number in range(setting.plan.trials):
        print(f"trial {number + 1} of {setting.plan.trials}", file=sys.stderr, flush=True)
        trials.append(trial(setting))
        compared.append(ratios(trials[-1]))
        shown = ", ".join(f"{name} {value:.2f}" for name, value in compared[-1].items())
        print(f"  {shown}", file=sys.stderr, flush=True)
        yield _merged(setting, trials, compared) | {"minutes": round((time.monotonic() - started_s) / 60, 1)}


def _merged(
    setting: Setting, trials: list[dict[str, Any]], compared: list[dict[str, float]]
) -> dict[str, Any]:
    merged, spreads = merge_trials(trials), merge_trials(compared)
    found = medians(spreads)
    return {
        "pages": {"source": setting.pages.source, "number": len(setting.pages.pages)},
        "trials": len(trials),
        "seconds": setting.plan.saturation_s,
        "plan": asdict(setting.plan),
        "ratios": found,
        "shortfalls": shortfalls(found),
        "limit": medians(merged["limit"]),
        "ratio_spreads": spreads,
        "systems": merged,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path, nargs="?", help="Serve configuration; serve_config.yaml")
    parser.add_argument("--pages", type=Path, help=f"labelled sets or a folder ({DATA}, else our own)")
    parser.add_argument("--device", default="", help="of all stages; cuda takes the configuration for GPUs")
    parser.add_argument("--quick", action="store_true", help="one short trial: does everything run?")
    parser.add_argument("--trials", type=int)
    parser.add_argument(
        "--output", type=Path, help="folder of the result (benchmarks/results, or a passing one)"
    )
    parser.add_argument("--seconds", type=float, help="measured span of each load below saturation")
    parser.add_argument("--processes", type=int, help="of the limit and Tesseract: a core each, 1 on a GPU")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else Plan()
    on_gpu = options.device.startswith("cuda")
    processes = options.processes or (1 if on_gpu else os.cpu_count() or 1)
    return replace(
        base,
        trials=options.trials or base.trials,
        seconds=options.seconds or base.seconds,
        processes=processes,
    )


def main() -> int:
    options = _options()
    default = GPU_CONFIG if options.device.startswith("cuda") else ROOT / "serve_config.yaml"
    config = options.config or default
    pages_from = options.pages or (DATA if DATA.is_dir() else None)
    content = for_device(read_yaml(config), options.device)
    plan = _plan(options)
    setting = Setting(content, find_pages(pages_from, 1 if options.quick else 4), pages_from, plan)
    directory = options.output or (Path(gettempdir()) if options.quick else RESULTS)
    about = {"config": config.name, "device": options.device or "as configured"}
    # Written after every trial: a run that is broken off leaves what it has.
    for measured in measure(setting):
        figures = about | measured
        path = write_of_commit(figures, directory)
    print(report.table(figures))
    print(f"\nwritten to {path}, drawn to {draw(figures, path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
