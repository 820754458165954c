"""Draws a scaling run: replicas of each stage, and latency of each document, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")

_COLOURS = {"letter": "tab:green", "scan": "tab:blue", "receipt": "tab:purple"}
# Lines of stages with the same number of replicas stand beside each other.
_APART = 0.06


def plot(result: dict[str, Any], path: Path) -> None:
    """Write the picture of a result as ``benchmarks.load.scaling.Result.as_json`` gives it."""
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(10, 6), layout="constrained")
    times_s = [sample["at_s"] for sample in result["replicas"]]
    stages = [name for name in result["replicas"][0] if name != "at_s"]
    for number, stage in enumerate(stages):
        counts = [sample.get(stage, 0) - _APART * number for sample in result["replicas"]]
        above.step(times_s, counts, where="post", label=stage, linewidth=1.8)
    above.set_ylabel("running replicas")
    above.set_ylim(0, above.get_ylim()[1] + 0.3)
    above.yaxis.get_major_locator().set_params(integer=True)
    above.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    for kind in sorted({document["kind"] for document in result["documents"]}):
        of_kind = [each for each in result["documents"] if each["kind"] == kind]
        below.plot(
            [each["at_s"] for each in of_kind],
            [each["latency_s"] for each in of_kind],
            ".",
            markersize=3,
            color=_COLOURS[kind],
            label=kind,
        )
    below.set(yscale="log", ylabel="latency from its time, s", xlabel="time, s")
    below.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", markerscale=3)
    begin_s = 0.0
    for name, phase in result["phases"].items():
        for axes in (above, below):
            axes.axvline(begin_s, color="grey", linewidth=0.5)
        above.annotate(name, (begin_s, 1), xycoords=("data", "axes fraction"), va="bottom", fontsize="small")
        begin_s += phase["duration_s"]
    figure.savefig(path, dpi=110)
    plt.close(figure)
