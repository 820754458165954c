"""A sheet of pages with their truth drawn on them, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.pages import PageRun, PageSample, load_source, page

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


def contact_sheet(
    pictures: Sequence[npt.NDArray[np.uint8]], height_px: int, columns: int
) -> npt.NDArray[np.uint8]:
    """Pictures scaled into square cells of ``height_px``, ``columns`` a row, uint8 RGB."""
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * height_px, columns * height_px, 3), np.uint8)
    for index, picture in enumerate(pictures):
        scale = height_px / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        top, left = index // columns * height_px, index % columns * height_px
        sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


def write_preview(path: Path, run: PageRun, height_px: int = 1000) -> None:
    """Draws the run's pages and writes the sheet; raises ``ValueError`` for an unknown image suffix."""
    source = load_source(tracks=run.tracks)
    pictures = [draw_truth(page(run.seed, index, source, run.kind)) for index in range(run.number)]
    sheet = contact_sheet(pictures, height_px, columns=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise ValueError(f"cannot write {path}")
