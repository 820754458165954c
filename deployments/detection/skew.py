"""How a page lies, by a quarter turn, by its skew and by its keystone, from projection profiles of its ink.

After W. Postl, "Detection of linear oblique structures and skew scan in digitized documents",
ICPR 1986: where the page is sheared to the right angle, rows of text and the gaps between them
make the profile of ink per row rise and fall most steeply.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.detection.ink_profile import (
    Profile,
    halved,
    longer_side_px,
    sharpness,
    strips_of,
    thin_ink,
    without_strokes,
)
from deployments.types import Image

COARSE_STEP_DEG = 0.5
FINE_STEP_DEG = 0.1
MIN_INK = 400
MIN_STRIPS = 8
MIN_PEAK = 1.25
SNAP_DEG = 0.1
SIDEWAYS_STEP_DEG = 1.0
# How many times sharper columns must be than rows, with strokes as long as these pixels of the reduced
# page left out: rules and edges of paper run both ways, and say nothing. Pages that lie right stay below 2.
SIDEWAYS_RATIO = 2.5
STROKE_PX = 50
SIDEWAYS_PEAK = 2.0
# Narrower pages hold too few columns or rows to compare.
SIDEWAYS_MIN_SIDE_PX = 96
# How far the slopes of a page's upper and lower half may lie from its skew, and what is too little
# to be told from the ways of a hand.
HALF_REACH_DEG = 5.0
MIN_KEYSTONE = 0.015
MAX_KEYSTONE = 0.2
KEYSTONE_STEP = 0.01
# How much sharper rows must become: pages that lie flat on a scanner stay below, but for hands.
KEYSTONE_GAIN = 1.1


@dataclass(frozen=True, slots=True)
class Pose:
    """How a page lies. ``quarter_turns`` counter-clockwise make its lines level, 0 or 1: whether
    they are upside down then, profiles cannot tell. ``skew_deg`` is what is left in the middle of
    the page, positive when lines rise to the right. ``keystone`` is by how much more they do, as a
    slope, for every length of the page's longer side that they lie lower: not 0 where a camera
    looked at the page from one side.
    """

    quarter_turns: int = 0
    skew_deg: float = 0.0
    keystone: float = 0.0


def estimate_pose(page: Image, max_skew_deg: float = 15.0) -> Pose:
    """Whether a page lies on its side, its skew and its keystone; see :func:`estimate_skew`."""
    ink = thin_ink(page)
    turns = int(_lies_sideways(ink))
    strips = strips_of(np.rot90(ink, turns))
    skew_deg = _skew(strips, max_skew_deg)
    return _converging(strips, max_skew_deg, Pose(turns, skew_deg))


def estimate_skew(page: Image, max_skew_deg: float = 15.0) -> float:
    """Angle of the baselines in degrees, positive when lines rise to the right.

    0 when the page holds too little ink, when no angle stands out, or when the page is straight
    to a tenth of a degree.
    """
    return _skew(strips_of(thin_ink(page)), max_skew_deg)


def _skew(strips: Profile, max_skew_deg: float) -> float:
    if max_skew_deg <= 0:
        return 0.0
    if _is_bare(strips):
        return 0.0
    # A little beyond the limit, so that a peak at the limit has two neighbours.
    reach = max_skew_deg + COARSE_STEP_DEG
    coarse = np.arange(-reach, reach + 1e-9, COARSE_STEP_DEG)
    scores = sharpness(halved(strips), coarse)
    best = int(scores.argmax())
    if best in (0, len(coarse) - 1) or scores[best] < MIN_PEAK * float(np.median(scores)):
        return 0.0
    angle = _refined(strips, coarse[best])
    return 0.0 if abs(angle) < SNAP_DEG else float(np.clip(angle, -max_skew_deg, max_skew_deg))


def _converging(strips: Profile, max_skew_deg: float, pose: Pose) -> Pose:
    """The pose with the keystone that makes rows clearly sharper; as it is where none does."""
    if max_skew_deg <= 0 or _is_bare(strips):
        return pose
    small = halved(strips)
    middle_deg, guess = _by_halves(small, pose.skew_deg)
    if not MIN_KEYSTONE <= abs(guess) <= MAX_KEYSTONE:
        return pose
    angles = middle_deg + np.arange(-2.0, 2.01, COARSE_STEP_DEG)
    keystones = guess + KEYSTONE_STEP * np.arange(-3.0, 4.0)
    scores = np.stack([sharpness(small, angles, keystone) for keystone in keystones])
    angle = int(scores.max(axis=0).argmax())
    level = max(sharpness(small, angles).max(), sharpness(small, np.array([pose.skew_deg])).max())
    if scores.max() < KEYSTONE_GAIN * level:
        return pose
    keystone = _peak(keystones, scores[:, angle])
    skew_deg = _refined(strips, angles[angle], keystone)
    return Pose(pose.quarter_turns, float(np.clip(skew_deg, -max_skew_deg, max_skew_deg)), keystone)


def _by_halves(strips: Profile, skew_deg: float) -> tuple[float, float]:
    """A first skew and keystone: from the angles at which each half of the ink, from above, is sharpest."""
    angles = skew_deg + np.arange(-HALF_REACH_DEG, HALF_REACH_DEG + 0.01, COARSE_STEP_DEG)
    ink = strips.sum(axis=1, dtype=np.float64)
    middle = int(np.searchsorted(ink.cumsum(), ink.sum() / 2)) + 1
    slopes, heights = [], []
    for rows in (slice(0, middle), slice(middle, None)):
        if not ink[rows].any():
            return skew_deg, 0.0
        slopes.append(math.tan(math.radians(_peak(angles, sharpness(strips[rows], angles)))))
        heights.append(np.average(np.arange(len(ink))[rows], weights=ink[rows]))
    growth = (slopes[1] - slopes[0]) / (heights[1] - heights[0])
    middle_slope = slopes[0] + growth * ((len(ink) - 1) / 2 - heights[0])
    return math.degrees(math.atan(middle_slope)), float(growth * longer_side_px(strips))


def _is_bare(strips: Profile) -> bool:
    return bool(strips.sum() < MIN_INK or strips.shape[1] < MIN_STRIPS)


def _refined(strips: Profile, angle_deg: float, keystone: float = 0.0) -> float:
    """The sharpest angle within a coarse step of one."""
    fine = angle_deg + np.arange(-COARSE_STEP_DEG, COARSE_STEP_DEG + 1e-9, FINE_STEP_DEG)
    return _peak(fine, sharpness(strips, fine, keystone))


def _lies_sideways(ink: Profile) -> bool:
    """Whether columns of ink stand out by far more than rows do, and at one angle more than at others."""
    if ink.sum() < MIN_INK or min(ink.shape) < SIDEWAYS_MIN_SIDE_PX:
        return False
    angles = np.arange(-15.0, 15.1, SIDEWAYS_STEP_DEG)
    text = without_strokes(ink, STROKE_PX)
    rows, columns = (sharpness(halved(strips_of(each)), angles) for each in (text, np.rot90(text)))
    stands_out = columns.max() > SIDEWAYS_PEAK * np.median(columns)
    return bool(stands_out and columns.max() > SIDEWAYS_RATIO * rows.max() > 0)


def _peak(angles_deg: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> float:
    """The highest point of a parabola through the best angle and its neighbours."""
    best = int(np.clip(scores.argmax(), 1, len(scores) - 2))
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -1, 1))
    return float(angles_deg[best] + shift * (angles_deg[1] - angles_deg[0]))
