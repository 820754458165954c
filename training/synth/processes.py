"""How ink gets on paper: each process turns clean coverage into the coverage it would print.

All work on uint8 masks ``(H, W)``, 255 full ink, with ``x_height_px`` as the scale of the letters.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from training.synth.ink import Mask, change_weight
from training.synth.noise import smooth_noise

Process = Literal[
    "laser", "book", "typewriter", "carbon", "dots", "bitmap", "thermal", "fax", "pen", "pencil"
]


def develop(
    mask: Mask, process: Process, strength: float, x_height_px: float, rng: np.random.Generator
) -> Mask:
    """``mask`` as ``process`` would print it; ``strength`` in ``[0, 1]`` is how badly."""
    if process in ("dots", "bitmap"):
        return _matrix(mask, process == "dots", strength, x_height_px, rng)
    if process == "typewriter":
        return _ribbon(mask, strength, x_height_px, rng)
    if process == "carbon":
        return _carbon(mask, strength, x_height_px, rng)
    if process == "thermal":
        return _thermal(mask, strength, rng)
    if process == "fax":
        return _threshold(mask, strength, rng)
    if process in ("pen", "pencil"):
        return _pen(mask, strength, process == "pencil", rng)
    return _press(mask, strength if process == "book" else strength * 0.3, rng)


def _scale(mask: Mask, factor: np.ndarray) -> Mask:
    return np.asarray(np.clip(mask * factor, 0, 255), np.uint8)


def _press(mask: Mask, strength: float, rng: np.random.Generator) -> Mask:
    """Ink spread on absorbent paper: a ragged edge where blurred coverage crosses a rough threshold."""
    if strength < 0.08:
        return mask
    soft = cv2.GaussianBlur(mask, (0, 0), 0.6 + 0.6 * strength).astype(np.float32)
    rough = rng.standard_normal(mask.shape, dtype=np.float32) * (45 * strength)
    return np.asarray(np.clip((soft + rough - 70) * 2.2, 0, 255), np.uint8)


def _ribbon(mask: Mask, strength: float, x_height_px: float, rng: np.random.Generator) -> Mask:
    """Cloth ribbon: coverage uneven over a few letters and over the weave, edges swollen."""
    soft = cv2.GaussianBlur(mask, (0, 0), 0.05 * x_height_px + 0.3)
    height, width = mask.shape
    letters = smooth_noise(rng, height, width, x_height_px * 1.5) * (0.12 + 0.2 * strength)
    weave = smooth_noise(rng, height, width, 2.0) * (0.1 + 0.35 * strength)
    inked = np.clip((soft.astype(np.float32) - 40) * 1.7, 0, 255)
    return _scale(inked, np.clip(1.0 - 0.15 * strength + letters + weave, 0.05, 1.2))


def _carbon(mask: Mask, strength: float, x_height_px: float, rng: np.random.Generator) -> Mask:
    """Carbon copy: of a fresh sheet swollen and dark, of a used one soft and pale; grainy, in a haze."""
    if rng.random() < 0.4:
        return _fresh_carbon(mask, strength, x_height_px, rng)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.0 + 1.0 * strength)
    haze = cv2.GaussianBlur(mask, (0, 0), 5.0)
    grain = 1.0 + rng.standard_normal(mask.shape, dtype=np.float32) * 0.25
    blend = cv2.addWeighted(soft, 1.15 - 0.2 * strength, haze, 0.1 + 0.15 * strength, 0)
    return _scale(blend, grain * (0.95 - 0.2 * strength))


def _fresh_carbon(mask: Mask, strength: float, x_height_px: float, rng: np.random.Generator) -> Mask:
    """The stroke spreads until small counters fill; how hard a letter was struck decides how far."""
    height, width = mask.shape
    soft = cv2.GaussianBlur(mask, (0, 0), (0.06 + 0.08 * strength) * x_height_px).astype(np.float32)
    stroke = soft[mask > 127]
    if stroke.size:
        soft *= 255 / max(1.0, float(stroke.mean()))
    soft += smooth_noise(rng, height, width, 1.2 * x_height_px) * 18
    soft += rng.standard_normal(mask.shape, dtype=np.float32) * (8 + 18 * strength)
    spread = np.clip((soft - rng.uniform(90, 140)) * rng.uniform(1.8, 3.5), 0, 255)
    return np.asarray(cv2.GaussianBlur(spread, (0, 0), 0.6), np.uint8)


def _matrix(
    mask: Mask, round_dots: bool, strength: float, x_height_px: float, rng: np.random.Generator
) -> Mask:
    """Needle or thermal head of few dots to the letter: sampled coarsely, grown back as dots."""
    dots_per_x_height = rng.uniform(5, 9) if round_dots else rng.uniform(6, 12)
    pitch = max(1.3, x_height_px / dots_per_x_height)
    height, width = mask.shape
    size = (max(2, round(width / pitch)), max(2, round(height / pitch)))
    coarse = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    lit = (coarse > 90).astype(np.uint8) * 255
    if strength > 0.3:
        lit[rng.random(lit.shape) < 0.12 * strength] = 0
    if not round_dots:
        grown = cv2.resize(lit, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.GaussianBlur(grown, (0, 0), 0.35 * pitch), np.uint8)
    cell = 4
    big = np.zeros((size[1] * cell, size[0] * cell), np.uint8)
    big[cell // 2 :: cell, cell // 2 :: cell] = lit
    disc = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (cell + 1, cell + 1) if rng.random() < 0.5 else (cell, cell)
    )
    dotted = cv2.GaussianBlur(cv2.dilate(big, disc), (0, 0), rng.uniform(0.6, 1.6))
    return np.asarray(cv2.resize(dotted, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _thermal(mask: Mask, strength: float, rng: np.random.Generator) -> Mask:
    """Thermal paper: pale towards one side or in bands, rows of the head that print weakly."""
    height, width = mask.shape
    bands = smooth_noise(rng, height, width, 60.0) * 0.3 * strength
    rows = 1.0 - 0.4 * strength * (rng.random((height, 1), dtype=np.float32) < 0.15)
    return _scale(cv2.GaussianBlur(mask, (0, 0), 0.4 + 0.5 * strength), (1.0 - 0.4 * strength + bands) * rows)


def _threshold(mask: Mask, strength: float, rng: np.random.Generator) -> Mask:
    """One-bit copy: blurred, noisy and cut at a level that swells or breaks the strokes."""
    soft = cv2.GaussianBlur(mask, (0, 0), 0.7 + 0.5 * strength).astype(np.float32)
    soft += rng.standard_normal(mask.shape, dtype=np.float32) * (10 + 25 * strength)
    level = rng.uniform(85, 120 + 45 * strength)
    return np.asarray(np.where(soft > level, 255, 0), np.uint8)


def _pen(mask: Mask, strength: float, pencil: bool, rng: np.random.Generator) -> Mask:
    """Pressure that changes along the line; graphite also leaves the valleys of the paper white."""
    height, width = mask.shape
    pressure = 1.0 + smooth_noise(rng, height, width, 18.0) * (0.25 * strength)
    if pencil:
        pressure *= np.clip(0.85 + smooth_noise(rng, height, width, 1.6) * 0.35, 0.2, 1.1)
        mask = change_weight(mask, 0.6)
    return _scale(mask, np.clip(pressure, 0.3, 1.05))
