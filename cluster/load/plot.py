"""Draws a scaling run: replicas of each stage, and latency of each document, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")

_COLOURS = {"letter": "tab:blue", "scan": "tab:orange", "receipt": "tab:green"}


def plot(result: dict[str, Any], path: Path) -> None:
    """Write the picture of a result as ``cluster.load.scaling.Result.as_json`` gives it."""
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(10, 6), layout="constrained")
    times_s = [sample["at_s"] for sample in result["replicas"]]
    for stage in (name for name in result["replicas"][0] if name != "at_s"):
        counts = [sample.get(stage, 0) for sample in result["replicas"]]
        above.step(times_s, counts, where="post", label=stage)
    above.set_ylabel("running replicas")
    above.legend(loc="upper left", ncols=4, fontsize="small")
    above.set_ylim(0, above.get_ylim()[1] * 1.25)
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
    below.legend(loc="upper left", fontsize="small")
    begin_s = 0.0
    for name, phase in result["phases"].items():
        for axes in (above, below):
            axes.axvline(begin_s, color="grey", linewidth=0.5)
        above.annotate(name, (begin_s, 1), xycoords=("data", "axes fraction"), va="bottom", fontsize="small")
        begin_s += phase["duration_s"]
    figure.savefig(path, dpi=110)
    plt.close(figure)
