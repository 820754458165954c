"""Uneven light along a line: a shadow's edge, a lamp to one side, a flash.

Recognition knows one level of paper per line. Where the light changes along it, dark paper would
count as ink, so such a line is brought to the light of its brightest part first.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import Grey, levels_of

Levels = npt.NDArray[np.float32]

# Levels are taken from a line so high, in windows of two heights, one height apart.
_ROWS_PX = 32
_WINDOW_PX = 2 * _ROWS_PX
_FEWEST = 3
# Of the pixels of a window: text covers less than half of it.
_PAPER_SHARE = 0.6
# Brightest over darkest paper up to which the light counts as even; darker ground is no paper.
_EVEN = 1.3
_DARKEST_PAPER = 30


def level_light(grey: Grey) -> Grey:
    """The line as if its paper were everywhere as bright as at its brightest; as it is if the light is even.

    ``grey`` is ``uint8 (H, W)`` and never written to.
    """
    paper = _paper_levels(grey)
    if paper.min() < _DARKEST_PAPER or paper.max() < _EVEN * paper.min():
        return grey
    gain = (paper.max() / _along(paper, grey.shape[1])).astype(np.float32)
    return np.asarray(np.clip(grey * gain, 0, 255), np.uint8)


def _paper_levels(grey: Grey) -> Levels:
    """Level of the paper in windows spread evenly over the line, smoothed."""
    height, width = grey.shape
    small_px = max(round(width * _ROWS_PX / height), 1)
    small = np.asarray(cv2.resize(grey, (small_px, _ROWS_PX), interpolation=cv2.INTER_AREA), np.uint8)
    count = max(round(small_px / _ROWS_PX), _FEWEST)
    middles = (np.arange(count) + 0.5) * small_px / count
    starts = np.clip(middles - _WINDOW_PX / 2, 0, None).astype(int)
    ends = np.clip(middles + _WINDOW_PX / 2, None, small_px).astype(int)
    levels = [levels_of(small[:, start:end], _PAPER_SHARE) for start, end in zip(starts, ends, strict=True)]
    padded = np.pad(np.array(levels, np.float32)[:, 0], 1, mode="edge")
    return np.asarray(padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4, np.float32)


def _along(paper: Levels, width: int) -> Levels:
    """Levels between the middles of their windows, and beyond the outer ones: ``(width,)``."""
    step = width / len(paper)
    middles = (np.arange(-1, len(paper) + 1) + 0.5) * step
    ends = 2 * paper[0] - paper[1], 2 * paper[-1] - paper[-2]
    levels = np.interp(np.arange(width) + 0.5, middles, [ends[0], *paper, ends[1]])
    return np.asarray(np.clip(levels, _DARKEST_PAPER, None), np.float32)
