"""How a page lies, by a quarter turn and by its skew, from projection profiles of its ink.

After W. Postl, "Detection of linear oblique structures and skew scan in digitized documents",
ICPR 1986: where the page is sheared to the right angle, rows of text and the gaps between them
make the profile of ink per row rise and fall most steeply.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deployments.types import Image

LONG_SIDE_PX = 800
STRIP_PX = 4
COARSE_STEP_DEG = 0.5
FINE_STEP_DEG = 0.1
MIN_INK = 400
MIN_STRIPS = 8
MIN_PEAK = 1.25
SNAP_DEG = 0.1
SMOOTH_SLOPE = np.convolve([1, 2, 1], [1, 0, -1]) / 4
GOLDEN = 0.618034
SIDEWAYS_STEP_DEG = 1.0
# How many times sharper columns must be than rows: pages of few lines with stamps and rules come
# close to 3 while they lie right, pages of text that lie on their side reach 5 and more.
SIDEWAYS_RATIO = 3.0
SIDEWAYS_PEAK = 2.0
# Narrower pages hold too few columns or rows to compare.
SIDEWAYS_MIN_SIDE_PX = 96

Profile = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pose:
    """How a page lies. ``quarter_turns`` counter-clockwise make its lines level, 0 or 1: whether
    they are upside down then, profiles cannot tell. ``skew_deg`` is what is left, positive when
    lines rise to the right.
    """

    quarter_turns: int = 0
    skew_deg: float = 0.0


def estimate_pose(page: Image, max_skew_deg: float = 15.0) -> Pose:
    """Whether a page lies on its side, and its skew; see :func:`estimate_skew`."""
    ink = thin_ink(page)
    turns = int(_lies_sideways(ink))
    return Pose(turns, _skew(_strips(np.rot90(ink, turns)), max_skew_deg))


def estimate_skew(page: Image, max_skew_deg: float = 15.0) -> float:
    """Angle of the baselines in degrees, positive when lines rise to the right.

    0 when the page holds too little ink, when no angle stands out, or when the page is straight
    to a tenth of a degree.
    """
    return _skew(_strips(thin_ink(page)), max_skew_deg)


def _skew(strips: Profile, max_skew_deg: float) -> float:
    if max_skew_deg <= 0:
        return 0.0
    if strips.sum() < MIN_INK or strips.shape[1] < MIN_STRIPS:
        return 0.0
    # A little beyond the limit, so that a peak at the limit has two neighbours.
    reach = max_skew_deg + COARSE_STEP_DEG
    coarse = np.arange(-reach, reach + 1e-9, COARSE_STEP_DEG)
    scores = _sharpness(_halved(strips), coarse)
    best = int(scores.argmax())
    if best in (0, len(coarse) - 1) or scores[best] < MIN_PEAK * float(np.median(scores)):
        return 0.0
    fine = coarse[best] + np.arange(-COARSE_STEP_DEG, COARSE_STEP_DEG + 1e-9, FINE_STEP_DEG)
    angle = _peak(fine, _sharpness(strips, fine))
    return 0.0 if abs(angle) < SNAP_DEG else float(np.clip(angle, -max_skew_deg, max_skew_deg))


def _lies_sideways(ink: Profile) -> bool:
    """Whether columns of ink stand out by far more than rows do, and at one angle more than at others."""
    if ink.sum() < MIN_INK or min(ink.shape) < SIDEWAYS_MIN_SIDE_PX:
        return False
    angles = np.arange(-15.0, 15.1, SIDEWAYS_STEP_DEG)
    rows, columns = (_sharpness(_halved(_strips(each)), angles) for each in (ink, np.rot90(ink)))
    stands_out = columns.max() > SIDEWAYS_PEAK * np.median(columns)
    return bool(stands_out and columns.max() > SIDEWAYS_RATIO * rows.max() > 0)


def thin_ink(page: Image) -> Profile:
    """Ink of a reduced page: ``float32 (H', W')`` in ``[0, 1]``.

    Ink is what is darker than its neighbourhood and thin (a black-hat), so shadows, borders of
    a photograph and filled areas count little.
    """
    height, width = page.shape[:2]
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    size = (max(STRIP_PX, round(width * scale)), max(STRIP_PX, round(height * scale)))
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    hat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8))
    threshold = max(18.0, 0.35 * _level(hat, 0.98))
    # Soft edges: with hard ones every line jumps from row to row, and 0 degrees always wins.
    return np.asarray(np.clip(hat / threshold - 0.5, 0, 1, dtype=np.float32), dtype=np.float32)


def _level(grey: npt.NDArray[np.uint8], share: float) -> int:
    """The level that this share of the pixels does not exceed; counting is faster than sorting."""
    counts = np.bincount(grey.reshape(-1), minlength=256)
    return int(np.searchsorted(counts.cumsum(), share * grey.size))


# Sums of slices: numpy adds up short axes element by element, which takes several times as long.
def _strips(ink: Profile) -> Profile:
    """Ink summed over strips of columns: ``float32 (H', strips)``."""
    used = ink.shape[1] // STRIP_PX * STRIP_PX
    first, *others = (ink[:, start:used:STRIP_PX] for start in range(STRIP_PX))
    return np.asarray(sum(others, start=first), dtype=np.float32)


def _halved(strips: Profile) -> Profile:
    """Half the rows and half the strips: the same angles, at a quarter of the cost."""
    height, count = strips.shape[0] // 2 * 2, strips.shape[1] // 2 * 2
    rows = strips[0:height:2, :count] + strips[1:height:2, :count]
    return np.asarray(rows[:, ::2] + rows[:, 1::2], dtype=np.float32)


def _sharpness(strips: Profile, angles_deg: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Energy of the differences between rows of the profile, for each angle."""
    height, count = strips.shape
    middles = (np.arange(count) - (count - 1) / 2) * STRIP_PX
    slopes = np.array([math.tan(math.radians(angle)) for angle in angles_deg])
    # Strips begin at scattered fractions of a row, so that interpolation blurs every angle alike;
    # else 0 degrees, where nothing falls between two rows, stands out.
    starts = np.arange(count) * GOLDEN % 1.0
    margin = math.ceil(float(np.abs(slopes).max()) * abs(middles[0])) + 3
    rows, columns = np.nonzero(strips)
    ink = strips[rows, columns]
    scores = np.empty(len(slopes))
    for index, slope in enumerate(slopes):
        # A line that rises to the right lies lower on the left: shift each strip down by its x.
        position = rows + (slope * middles + starts)[columns] + margin
        low = position.astype(np.int64)
        share = (position - low).astype(np.float32)
        length = height + 2 * margin
        profile = np.bincount(low, ink * (1 - share), length) + np.bincount(low + 1, ink * share, length)
        scores[index] = float(np.square(np.convolve(profile, SMOOTH_SLOPE)).sum())
    return scores


def _peak(angles_deg: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> float:
    """The highest point of a parabola through the best angle and its neighbours."""
    best = int(np.clip(scores.argmax(), 1, len(scores) - 2))
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -1, 1))
    return float(angles_deg[best] + shift * (angles_deg[1] - angles_deg[0]))
