"""A sheet of pages with their truth drawn on them, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.pages import PageSample, load_source, page

_COLOURS = {"printed": (220, 30, 30), "handwritten": (30, 60, 230)}


def draw_truth(drawn: PageSample) -> npt.NDArray[np.uint8]:
    """The page with its line quads: red print, blue handwriting; the first corner is dotted."""
    picture = drawn.image.copy()
    for line in drawn.lines:
        colour = _COLOURS[line.kind]
        cv2.polylines(picture, [np.rint(line.quad).astype(np.int32)], True, colour, 2, cv2.LINE_AA)
        x, y = (int(v) for v in line.quad[0])
        cv2.circle(picture, (x, y), 4, colour, -1)
    return picture


def contact_sheet(pictures: Sequence[npt.NDArray[np.uint8]], height_px: int, columns: int) -> npt.NDArray[np.uint8]:
    """Pictures at one height, ``columns`` a row, uint8 RGB."""
    rows = []
    for start in range(0, len(pictures), columns):
        scaled = [
            cv2.resize(p, (max(1, round(p.shape[1] * height_px / p.shape[0])), height_px), interpolation=cv2.INTER_AREA)
            for p in pictures[start : start + columns]
        ]
        rows.append(np.concatenate(scaled, axis=1))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return np.concatenate(padded, axis=0).astype(np.uint8)


def write_preview(path: Path, number: int, seed: int, kind: str | None = None, height_px: int = 1000) -> None:
    source = load_source()
    pictures = [draw_truth(page(seed, index, source, kind)) for index in range(number)]
    sheet = contact_sheet(pictures, height_px, columns=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise ValueError(f"cannot write {path}")
