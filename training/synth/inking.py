"""What each ink does on paper: spreads, fades, speckles, and takes its colour."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.canvas import Plane
from training.synth.layouts import Ink
from training.synth.processes import develop
from training.synth.textures import field, speckle


def ink_on_paper(planes: list[Plane], inks: list[Ink], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Reflectance of the inked sheet, uint8 ``(H, W, 3)``, 255 bare paper."""
    height, width = planes[0].shape
    sheet = np.full((height, width, 3), 255, np.uint8)
    for plane, ink in zip(planes, inks, strict=True):
        rows = np.flatnonzero(plane.max(axis=1))
        if rows.size == 0:
            continue
        top, bottom = max(0, int(rows[0]) - 4), min(height, int(rows[-1]) + 5)
        coverage = _age(plane[top:bottom], ink, rng)
        window = sheet[top:bottom]
        for channel, level in enumerate(ink.colour):
            bare = 255 - cv2.multiply(coverage, (255 - level,), scale=1 / 255, dtype=cv2.CV_8U)
            window[..., channel] = cv2.multiply(window[..., channel], bare, scale=1 / 255)
    return sheet


def _age(plane: Plane, ink: Ink, rng: np.random.Generator) -> Plane:
    out = plane
    if ink.process is not None:
        out = develop(out, ink.process, ink.strength, ink.x_height_px, rng)
    if ink.spread_px > 0.05:
        out = cv2.GaussianBlur(out, (0, 0), ink.spread_px)
    if ink.gain != 1.0:
        out = cv2.convertScaleAbs(out, alpha=ink.gain)
    if ink.grain > 0:
        keep = cv2.convertScaleAbs(speckle(rng, *plane.shape), alpha=ink.grain)
        out = cv2.subtract(out, keep)
    if ink.fade > 0:
        loss = field(rng, plane.shape[0], plane.shape[1], period_px=float(rng.uniform(80, 700)))
        keep = cv2.convertScaleAbs(255 - loss, alpha=ink.fade, beta=255 * (1 - ink.fade))
        out = cv2.multiply(out, keep, scale=1 / 255)
    return cv2.convertScaleAbs(out, alpha=ink.opacity)  # type: ignore[no-any-return]
