"""The ink of a page, and how sharply it gathers into rows along a given direction."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from deployments.detection.resample import resize
from deployments.grey import grey_of, levels_of
from deployments.types import Image

LONG_SIDE_PX = 800
STRIP_PX = 4
SMOOTH_SLOPE = np.convolve([1, 2, 1], [1, 0, -1]) / 4
GOLDEN = 0.618034

Profile = npt.NDArray[np.float32]


def thin_ink(page: Image) -> Profile:
    """Ink of a reduced page: ``float32 (H', W')`` in ``[0, 1]``.

    Ink is what is darker than its neighbourhood and thin (a black-hat), so shadows, borders of
    a photograph and filled areas count little.
    """
    height, width = page.shape[:2]
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    size = (max(STRIP_PX, round(width * scale)), max(STRIP_PX, round(height * scale)))
    grey = resize(grey_of(page), *size)
    hat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8))
    threshold = max(18.0, 0.35 * levels_of(np.asarray(hat, np.uint8), 0.98)[0])
    # Soft edges: with hard ones every line jumps from row to row, and 0 degrees always wins.
    return np.asarray(np.clip(hat / threshold - 0.5, 0, 1, dtype=np.float32), dtype=np.float32)


def without_strokes(ink: Profile, length_px: int) -> Profile:
    """The ink without what runs straight along or down the page for so long, leaning by a pixel or two."""
    mask, text = (ink > 0).astype(np.uint8), ink.copy()
    for run, lean in (((1, length_px), (3, 1)), ((length_px, 1), (1, 3))):
        wide = cv2.dilate(mask, np.ones(lean, np.uint8))
        text[cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones(run, np.uint8)) > 0] = 0
    return text


# Sums of slices: numpy adds up short axes element by element, which takes several times as long.
def strips_of(ink: Profile) -> Profile:
    """Ink summed over strips of columns: ``float32 (H', strips)``."""
    used = ink.shape[1] // STRIP_PX * STRIP_PX
    first, *others = (ink[:, start:used:STRIP_PX] for start in range(STRIP_PX))
    return np.asarray(sum(others, start=first), dtype=np.float32)


def halved(strips: Profile) -> Profile:
    """Half the rows and half the strips: the same angles, at a quarter of the cost."""
    height, count = strips.shape[0] // 2 * 2, strips.shape[1] // 2 * 2
    rows = strips[0:height:2, :count] + strips[1:height:2, :count]
    return np.asarray(rows[:, ::2] + rows[:, 1::2], dtype=np.float32)


def longer_side_px(strips: Profile) -> int:
    """The longer side of what the strips were summed over, in their own pixels."""
    height, count = strips.shape
    return int(max(height, count * STRIP_PX))


def sharpness(
    strips: Profile, angles_deg: npt.NDArray[np.float64], keystone: float = 0.0
) -> npt.NDArray[np.float64]:
    """Energy of the differences between rows of the profile, for each angle of the page's middle.

    ``keystone`` is as in :class:`deployments.detection.skew.Pose`.
    """
    height, count = strips.shape
    middles = (np.arange(count) - (count - 1) / 2) * STRIP_PX
    slopes = np.array([math.tan(math.radians(angle)) for angle in angles_deg])
    # Lines through a point beside the page: where they are further apart, so are their rows.
    stretch = 1 / (1 - keystone / longer_side_px(strips) * middles)
    # Strips begin at scattered fractions of a row, so that interpolation blurs every angle alike;
    # else 0 degrees, where nothing falls between two rows, stands out.
    starts = np.arange(count) * GOLDEN % 1.0
    centre = (height - 1) / 2
    margin = math.ceil(stretch.max() * (float(np.abs(slopes).max()) * abs(middles[0]) + centre) - centre) + 3
    rows, columns = np.nonzero(strips)
    ink = strips[rows, columns]
    spread = (rows - centre) * stretch[columns] + (centre + margin)
    length = height + 2 * margin
    scores = np.empty(len(slopes))
    for index, slope in enumerate(slopes):
        # A line that rises to the right lies lower on the left: shift each strip down by its x.
        position = spread + (slope * middles * stretch + starts)[columns]
        low = position.astype(np.int64)
        share = (position - low).astype(np.float32)
        profile = np.bincount(low, ink * (1 - share), length) + np.bincount(low + 1, ink * share, length)
        scores[index] = float(np.square(np.convolve(profile, SMOOTH_SLOPE)).sum())
    return scores
