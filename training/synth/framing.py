"""From ink on an endless page to the crop a detector would deliver: margins, tilt, neighbours, rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.ink import Mask, TextInk

Rule = Literal["underline", "dotted", "baseline", "box", "cells", "strike", "guide"]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Framing:
    """Margins are shares of the x-height around the letters' reach; negative ones cut into it.

    ``tight`` frames the ink itself, else the ascender-to-descender band of the face.
    ``neighbours_above``/``below``: gap to the adjacent line as share of the x-height, or None.
    """

    top: float = 0.3
    bottom: float = 0.3
    left: float = 0.3
    right: float = 0.3
    tight: bool = True
    rotation_deg: float = 0.0
    stretch: float = 1.0
    neighbour_above: float | None = None
    neighbour_below: float | None = None
    rules: tuple[Rule, ...] = ()


def sample_framing(rng: Rng, handwritten: bool) -> Framing:
    tight = bool(rng.random() < 0.5)
    near = rng.random() < 0.45
    margin = 0.25 if rng.random() < 0.6 else 0.8
    rules: tuple[Rule, ...] = ()
    roll = rng.random()
    if roll < 0.06:
        rules = ("underline",)
    elif roll < 0.15:
        chosen: tuple[Rule, ...] = (
            "dotted",
            "baseline",
            "box",
            "cells",
            "strike",
            "guide",
            "baseline",
            "guide",
        )
        rules = (chosen[int(rng.integers(len(chosen)))],)
    closest = -0.15 if handwritten else 0.05
    return Framing(
        top=_margin(rng, 0.15, -0.3, margin),
        bottom=_margin(rng, 0.1, -0.2, margin),
        left=_margin(rng, 0.1, -0.25, 1.0),
        right=_margin(rng, 0.1, -0.25, 1.0),
        tight=tight,
        rotation_deg=float(np.clip(rng.normal(0, 0.5), -2, 2)) if rng.random() < 0.5 else 0.0,
        stretch=float(np.exp(rng.normal(0, 0.08))),
        neighbour_above=float(rng.uniform(closest, 0.9)) if near and rng.random() < 0.75 else None,
        neighbour_below=float(rng.uniform(closest, 0.9)) if near and rng.random() < 0.75 else None,
        rules=rules,
    )


def _margin(rng: Rng, cut_share: float, deepest: float, widest: float) -> float:
    """A margin in x-heights; boxes that people and detectors draw cut a share of the lines at that side."""
    if rng.random() < cut_share:
        return float(rng.uniform(deepest, 0.0))
    return float(rng.uniform(-0.02, widest))


def frame(ink: TextInk, x_height_px: float, how: Framing, height_px: int, rng: Rng) -> tuple[Mask, float]:
    """The crop of ``ink``, uint8 ``(height_px, W)``, 255 full ink, and the scale it was made with."""
    rows, columns = _extent(ink, x_height_px, how.tight)
    top = rows[0] - how.top * x_height_px
    bottom = rows[1] + how.bottom * x_height_px
    left, right = columns[0] - how.left * x_height_px, columns[1] + how.right * x_height_px
    page, shift = _with_surroundings(ink, rows, (top, bottom, left, right), how, x_height_px, rng)
    # A slope lifts the ends of a long line: the box of a detector that follows the line stays close.
    middle_x, middle_y = (left + right) / 2 - shift[0], (top + bottom) / 2 - shift[1]
    tilt = how.rotation_deg * min(1.0, 12.0 * x_height_px / (right - left))
    scale = height_px / (bottom - top)
    width_px = max(8, round((right - left) * scale * how.stretch))
    cosine, sine = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    matrix = np.array([[cosine, sine, 0], [-sine, cosine, 0]]) * scale
    matrix[0] *= how.stretch
    middle = np.array([middle_x, middle_y])
    matrix[:, 2] = np.array([width_px / 2, height_px / 2]) - matrix[:, :2] @ middle
    if scale < 0.6:
        page = cv2.GaussianBlur(page, (0, 0), 0.35 / scale)
    return cv2.warpAffine(page, matrix, (width_px, height_px), flags=cv2.INTER_LINEAR), scale


def _extent(ink: TextInk, x_height_px: float, tight: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Rows and columns of the ink; a flat line (dashes) still gets the height of a letter."""
    lit_rows = np.flatnonzero(ink.mask.max(1) > 40)
    lit_columns = np.flatnonzero(ink.mask.max(0) > 40)
    if not lit_rows.size:
        lit_rows, lit_columns = np.array([0, ink.mask.shape[0]]), np.array([0, ink.mask.shape[1]])
    columns = (float(lit_columns[0]), float(lit_columns[-1] + 1))
    low, high = float(lit_rows[0]), float(lit_rows[-1] + 1)
    if tight and high - low > 0.9 * x_height_px:
        return (low, high), columns
    low = min(low, ink.baseline_y - 1.4 * x_height_px)
    return (low, max(high, ink.baseline_y + 0.4 * x_height_px)), columns


def _with_surroundings(
    ink: TextInk,
    rows: tuple[float, float],
    crop: tuple[float, float, float, float],
    how: Framing,
    x_height_px: float,
    rng: Rng,
) -> tuple[Mask, tuple[int, int]]:
    """Ink on a canvas that holds the crop with room to turn; also where the canvas begins."""
    top, bottom, left, right = crop
    room = math.ceil(0.25 * x_height_px) + 3
    x0, y0 = math.floor(left) - room, math.floor(top) - room
    canvas = np.zeros((math.ceil(bottom) + room - y0, math.ceil(right) + room - x0), np.uint8)
    line_pitch = rows[1] - rows[0]
    _stamp(canvas, ink.mask, -x0, -y0)
    if how.neighbour_above is not None:
        roll = int(rng.integers(ink.mask.shape[1]))
        offset = -line_pitch - how.neighbour_above * x_height_px
        _stamp(canvas, np.roll(ink.mask, roll, axis=1), -x0, round(offset) - y0)
    if how.neighbour_below is not None:
        roll = int(rng.integers(ink.mask.shape[1]))
        offset = line_pitch + how.neighbour_below * x_height_px
        _stamp(canvas, np.roll(ink.mask, roll, axis=1), -x0, round(offset) - y0)
    for rule in how.rules:
        _draw_rule(canvas, rule, (-x0, ink.baseline_y - y0), ink, x_height_px, rng)
    return canvas, (x0, y0)


def _stamp(canvas: Mask, mask: Mask, x: int, y: int) -> None:
    """Lay ``mask`` over ``canvas`` at (x, y), clipped."""
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + mask.shape[1], canvas.shape[1]), min(y + mask.shape[0], canvas.shape[0])
    if x1 > x0 and y1 > y0:
        window = canvas[y0:y1, x0:x1]
        np.maximum(window, mask[y0 - y : y1 - y, x0 - x : x1 - x], out=window)


def _draw_rule(
    canvas: Mask, rule: Rule, origin: tuple[float, float], ink: TextInk, x_height_px: float, rng: Rng
) -> None:
    height, width = canvas.shape
    level, thick = int(rng.integers(90, 256)), max(1, round(x_height_px * rng.uniform(0.04, 0.11)))
    baseline = origin[1]
    drop = {"underline": 0.25, "dotted": 0.12, "baseline": 0.05, "strike": -0.45, "guide": 0.02}.get(
        rule, 0.0
    )
    y = round(baseline + (drop + rng.uniform(-0.05, 0.12)) * x_height_px)
    if rule == "box":
        cv2.rectangle(canvas, (2, 2), (width - 3, height - 3), level, thick)
    elif rule == "cells":
        _draw_cells(canvas, _cell_edges(ink.char_boxes) + origin[0], y + thick, x_height_px, level, rng)
    elif rule == "dotted":
        step = max(3, round(x_height_px * rng.uniform(0.2, 0.4)))
        for x in range(int(rng.integers(step)), width, step):
            cv2.circle(canvas, (x, y), max(1, thick // 2), level, -1)
    elif rule == "guide":
        for offset in (0.0, -rng.uniform(1.1, 2.0) * x_height_px):
            cv2.line(
                canvas, (0, round(y + offset)), (width, round(y + offset)), level // 2, max(1, thick // 2)
            )
    else:
        tilt = round(rng.normal(0, 0.04) * x_height_px)
        inks: npt.NDArray[np.float32] = ink.char_boxes
        first, last = sorted(rng.choice(len(inks), 2).tolist()) if rule == "strike" else (0, len(inks) - 1)
        start, end = round(origin[0] + inks[first][0]), round(origin[0] + inks[last][2])
        if rule == "baseline":
            start, end = 0, width
        cv2.line(canvas, (start, y), (end, y + tilt), level, thick)


def _cell_edges(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """``(N + 1,)`` sides of cells around characters ``(N, 4)``; even where they stand evenly."""
    middles = (boxes[:, 0] + boxes[:, 2]).astype(np.float64) / 2
    if len(middles) < 2:
        return np.array([boxes[0, 0] - 2.0, boxes[-1, 2] + 2.0])
    numbers = np.arange(len(middles))
    pitch, first = np.polyfit(numbers, middles, 1)
    if np.abs(first + pitch * numbers - middles).max() < 0.3 * pitch:
        return np.asarray(first + pitch * (np.arange(len(middles) + 1) - 0.5))
    between = (boxes[:-1, 2] + boxes[1:, 0]) / 2
    return np.array([boxes[0, 0] - 2.0, *between, boxes[-1, 2] + 2.0])


def _draw_cells(
    canvas: Mask, edges: npt.NDArray[np.float64], foot_y: int, x_height_px: float, level: int, rng: Rng
) -> None:
    """A comb: its foot, teeth at ``edges``, short or as tall as the cells, and now and then its top."""
    tall = rng.random() < 0.6
    top = round(foot_y - (rng.uniform(1.6, 2.3) if tall else rng.uniform(0.3, 0.7)) * x_height_px)
    thick = 1 if rng.random() < 0.6 else 2
    first, *_, last = (round(float(edge)) for edge in edges)
    cv2.line(canvas, (first, foot_y), (last, foot_y), level, thick)
    if tall and rng.random() < 0.7:
        cv2.line(canvas, (first, top), (last, top), level, thick)
    for edge in edges:
        x = round(float(edge))
        cv2.line(canvas, (x, top), (x, foot_y), level, thick)
