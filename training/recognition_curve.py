"""The learning curve of a run as a picture: loss and validation CER over lines seen."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]

CURVE = "curve.csv"
PICTURE = "curve.png"
_SMOOTHED_ROWS = 9


class EmptyCurve(ValueError):
    """A curve has no row with a loss."""


def draw_curve(run_dir: Path, picture: Path) -> None:
    """Draw the curve of a run as a PNG of 800x400 px.

    Raises:
        FileNotFoundError: the run has no curve.
        EmptyCurve: the curve has no row with a loss yet.
    """
    with (run_dir / CURVE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines, loss = _column(rows, "loss")
    if not lines.size:
        raise EmptyCurve(f"{run_dir / CURVE} has no row with a loss yet")
    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    left = figure.subplots()
    left.plot(lines, loss, color="#b8c4d6", linewidth=0.8)
    left.plot(lines, _smoothed(loss), color="#2f5d9b", label="training loss per character")
    left.set(xlabel="lines seen", ylabel="loss", ylim=(0, min(float(loss.max()), 6.0) * 1.05))
    handles = left.get_lines()[1:]
    valid_lines, cer = _column(rows, "valid_cer")
    if valid_lines.size:
        right = left.twinx()
        handles += right.plot(
            valid_lines, 100 * cer, "o-", color="#b3541e", markersize=3, label="validation CER"
        )
        right.set(ylabel="CER, %", ylim=(0, min(100.0, 110 * float(cer.max()))))
    left.legend(handles=handles, loc="upper right", frameon=False)
    # Without a time stamp the same curve gives the same bytes.
    figure.savefig(picture, metadata={"Software": None})


def _column(rows: list[dict[str, str]], name: str) -> tuple[Values, Values]:
    """Lines seen and the values of a column, where it has one."""
    kept = [(float(row["lines"]), float(row[name])) for row in rows if row[name]]
    values = np.array(kept, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _smoothed(values: Values) -> Values:
    """Running mean; windows are cut at the ends."""
    window = np.ones(min(_SMOOTHED_ROWS, len(values)))
    return np.convolve(values, window, "same") / np.convolve(np.ones_like(values), window, "same")
