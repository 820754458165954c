"""Paper that shows through a line: squares and rules of exercise books, the weave of laid and linen sheets.

Most handwriting stands on such paper, and a reader that never saw a square reads it as strokes of
letters. Like ``line_augment`` this varies a cached line at every visit, real ones too: ``sample``
draws, ``apply`` is deterministic given what was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import Grey, grey_of
from deployments.recognition.preprocess import paper_and_ink
from deployments.types import Image, Kind

Plane = npt.NDArray[np.float32]

# Shares of lines on ruled or squared paper, and on paper whose weave shows.
_RULED = {Kind.HANDWRITTEN: 0.35, Kind.PRINTED: 0.06}
_WOVEN = 0.06
_SQUARED = 0.6


@dataclass(frozen=True, slots=True)
class Sheet:
    """One draw. Pitches (0: no such rules) and thickness are shares of the line's height, phases of a pitch.

    ``darkness`` is how far rules go from the level of the paper to that of the ink. ``weave`` is the
    standard deviation of the threads, in grey levels.
    """

    row_pitch: float = 0.0
    column_pitch: float = 0.0
    row_phase: float = 0.0
    column_phase: float = 0.0
    thickness: float = 0.03
    darkness: float = 0.0
    tilt_deg: float = 0.0
    weave: float = 0.0
    seed: int = 0


def sample(rng: np.random.Generator, kind: Kind) -> Sheet | None:
    """Draw a sheet for a line of this kind; None: its paper does not show."""
    weave = float(rng.uniform(4, 26)) if rng.random() < _WOVEN else 0.0
    if rng.random() >= _RULED[kind]:
        return Sheet(weave=weave, seed=int(rng.integers(2**31))) if weave else None
    squared = rng.random() < _SQUARED
    # Hands fill one to four squares of 5 mm, and half to twice the distance between rules.
    pitch = float(rng.uniform(0.22, 0.9) if squared else rng.uniform(0.45, 1.7))
    return Sheet(
        row_pitch=pitch,
        column_pitch=pitch * float(np.exp(rng.normal(0, 0.04))) if squared else 0.0,
        row_phase=float(rng.random()),
        column_phase=float(rng.random()),
        thickness=float(rng.uniform(0.012, 0.05)),
        darkness=float(rng.uniform(0.08, 0.65)),
        tilt_deg=float(np.clip(rng.normal(0, 0.7), -2, 2)),
        weave=weave,
        seed=int(rng.integers(2**31)),
    )


def apply(grey: Grey, sheet: Sheet) -> Grey:
    """The line ``(H, W)`` on this sheet: rules go under the ink, which stays as dark as it is."""
    line = grey.astype(np.float32)
    if sheet.weave:
        line += _weave(line.shape, sheet)
    if sheet.row_pitch or sheet.column_pitch:
        line = under_ink(line, paper_and_ink(grey), _rules(line.shape, sheet) * np.float32(sheet.darkness))
    return np.asarray(np.clip(line, 0, 255), np.uint8)


def under_ink(line: Plane, levels: tuple[int, int], print_: Plane) -> Plane:
    """A line over what was printed before it: shares of the way from paper to ink, the two ``levels``."""
    paper, ink = levels
    printed = paper + np.float32(ink - paper) * print_
    return np.asarray((np.minimum if ink <= paper else np.maximum)(line, printed), np.float32)


def apply_in_colour(pixels: Image, sheet: Sheet, tint: Sequence[float] = (1.0, 1.0, 1.0)) -> Image:
    """:func:`apply` for ``uint8 (H, W, 3)``; ``tint`` is how far each channel follows."""
    grey = grey_of(pixels)
    change = apply(grey, sheet).astype(np.float32) - grey
    return np.asarray(np.clip(pixels + change[..., None] * np.array(tint, np.float32), 0, 255), np.uint8)


def exercise_book(number: int) -> Sheet:
    """Squares of a little under half a line's height, two fifths as dark as ink; ``number`` places them."""
    rng = np.random.default_rng(number)
    return Sheet(
        row_pitch=0.45,
        column_pitch=0.45,
        row_phase=float(rng.random()),
        column_phase=float(rng.random()),
        thickness=0.025,
        darkness=0.4,
        tilt_deg=float(rng.uniform(-1, 1)),
        seed=number,
    )


def _rules(shape: tuple[int, ...], sheet: Sheet) -> Plane:
    """Share of each pixel that rules cover."""
    height, width = shape
    slope = np.tan(np.deg2rad(sheet.tilt_deg))
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    half = max(sheet.thickness * height, 1.0) / 2
    covered = np.zeros(shape, np.float32)
    for along, pitch, phase in (
        (y + slope * x, sheet.row_pitch * height, sheet.row_phase),
        (x - slope * y, sheet.column_pitch * height, sheet.column_phase),
    ):
        if pitch:
            distance = np.abs((along / pitch + phase) % 1 - 0.5) * pitch
            np.maximum(covered, np.clip(half + 0.5 - distance, 0, 1), out=covered)
    # Ink takes unevenly, and rules are printed faintly in places.
    rng = np.random.default_rng(sheet.seed)
    coarse = rng.uniform(0.55, 1.0, (2, max(2, width // (2 * height)))).astype(np.float32)
    return np.asarray(covered * cv2.resize(coarse, (width, height)), np.float32)


def _weave(shape: tuple[int, ...], sheet: Sheet) -> Plane:
    """Threads along and across, broken up by noise; zero mean."""
    height, width = shape
    rng = np.random.default_rng(sheet.seed + 1)
    # Threads keep their level for some length, then cross under others.
    rows = cv2.resize(rng.standard_normal((height, max(2, width // 24)), dtype=np.float32), (width, height))
    columns = cv2.resize(
        rng.standard_normal((max(2, height // 24), width), dtype=np.float32), (width, height)
    )
    grain = rng.standard_normal(shape, dtype=np.float32)
    return np.asarray((0.6 * rows + 0.6 * columns + 0.5 * grain) * np.float32(sheet.weave), np.float32)
