"""Cheap variation of line images, so that a cached line is a new one at every visit.

The heavy work (paper, inks, degradations) is done once by ``training.synth``; here a line only
gets other margins, another geometry, another exposure, blur and noise. ``sample`` draws,
``apply`` is deterministic given what was drawn and a noise seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from deployments.grey import Grey


@dataclass(frozen=True, slots=True)
class Variation:
    """One draw. Margins are shares of the height, negative where the crop cuts into the line.

    ``motion_px`` is the way of a camera that moved along ``motion_deg``; ``pepper`` the share of
    pixels that are black or white for no reason.
    """

    top: float
    bottom: float
    left: float
    right: float
    stretch: float
    shear: float
    rotation_deg: float
    contrast: float
    brightness: float
    blur_px: float
    motion_px: int
    motion_deg: float
    coarseness: float
    noise: float
    pepper: float
    noise_seed: int


def sample(rng: np.random.Generator) -> Variation:
    """Draw a variation; about half of all lines keep their sharpness."""
    soft, unfocused = rng.random() < 0.3, rng.random() < 0.06
    moved = rng.random() < 0.05
    return Variation(
        top=float(rng.uniform(-0.05, 0.12)),
        bottom=float(rng.uniform(-0.05, 0.12)),
        left=float(rng.uniform(-0.03, 0.3)),
        right=float(rng.uniform(-0.03, 0.3)),
        stretch=float(np.exp(rng.normal(0.0, 0.1))),
        shear=float(rng.normal(0.0, 0.08)),
        rotation_deg=float(rng.normal(0.0, 0.35)),
        contrast=float(rng.uniform(0.6, 1.1)),
        brightness=float(rng.uniform(-25.0, 25.0)),
        blur_px=float(rng.uniform(1.1, 2.8)) if unfocused else float(rng.uniform(0.3, 1.1)) if soft else 0.0,
        motion_px=int(rng.integers(3, 11)) if moved else 0,
        motion_deg=float(rng.uniform(0, 180)),
        coarseness=float(rng.uniform(0.45, 0.9)) if rng.random() < 0.2 else 1.0,
        noise=float(rng.uniform(2.0, 14.0)) if rng.random() < 0.5 else 0.0,
        pepper=float(rng.uniform(0.002, 0.025)) if rng.random() < 0.03 else 0.0,
        noise_seed=int(rng.integers(2**31)),
    )


def apply(grey: Grey, variation: Variation) -> Grey:
    """Vary one grey line; the result has another width and height."""
    varied = _warped(grey, variation)
    if variation.coarseness < 1:
        varied = _coarsened(varied, variation.coarseness)
    if variation.blur_px > 0:
        varied = np.asarray(cv2.GaussianBlur(varied, (0, 0), variation.blur_px), np.uint8)
    if variation.motion_px > 1:
        varied = _smeared(varied, variation.motion_px, variation.motion_deg)
    return _exposed(varied, variation)


def _smeared(grey: Grey, length_px: int, angle_deg: float) -> Grey:
    """What a camera sees that moves so far."""
    middle = (length_px - 1) / 2
    step = middle * np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))])
    start, end = (np.rint((middle + sign * step) * 16).astype(int).tolist() for sign in (-1, 1))
    way = np.zeros((length_px, length_px), np.uint8)
    cv2.line(way, start, end, 255, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(grey, -1, way / way.sum(dtype=np.float64)), np.uint8)


def _warped(grey: Grey, v: Variation) -> Grey:
    height, width = grey.shape
    out_width = max(round((width * v.stretch) + (v.left + v.right) * height), 8)
    out_height = max(round(height * (1 + v.top + v.bottom)), 8)
    angle = np.deg2rad(v.rotation_deg) * min(1.0, 8 * height / width)
    slope = np.tan(angle)
    matrix = np.array(
        [
            [v.stretch, -v.shear, v.left * height + v.shear * height / 2],
            [-slope, 1.0, v.top * height + slope * width / 2],
        ],
        np.float32,
    )
    paper = float(np.median(grey[:: max(1, height // 12), :: max(1, width // 64)]))
    return np.asarray(
        cv2.warpAffine(grey, matrix, (out_width, out_height), flags=cv2.INTER_LINEAR, borderValue=paper),
        np.uint8,
    )


def _coarsened(grey: Grey, share: float) -> Grey:
    height, width = grey.shape
    size = (max(round(width * share), 4), max(round(height * share), 4))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _exposed(grey: Grey, v: Variation) -> Grey:
    varied = (grey.astype(np.float32) - 128) * np.float32(v.contrast) + np.float32(128 + v.brightness)
    rng = np.random.default_rng(v.noise_seed)
    if v.noise > 0:
        varied += rng.standard_normal(grey.shape, dtype=np.float32) * np.float32(v.noise)
    if v.pepper > 0:
        rolls = rng.random(grey.shape, dtype=np.float32)
        varied[rolls < v.pepper / 2] = 0
        varied[rolls > 1 - v.pepper / 2] = 255
    return np.asarray(np.clip(varied, 0, 255), np.uint8)
