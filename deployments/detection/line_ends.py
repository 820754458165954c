"""The ends of found lines, moved to where the ink ends.

A network that sees a squeezed page is sure of a line's rows and less so of its first and last
letter. What is cut off there is lost to reading, so ends that fall into ink follow it outwards; and
an end far out on blank paper, where a reader might find something, comes in. A box of a figure or two
comes in closer (decision 23).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import grey_of
from deployments.types import Image

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Rows of a line in which letters stand: below them are the rules of forms, above them neighbours.
TOP, BOTTOM = 0.15, 0.75
# Shares of a line's height: the widest gap within a word, and the farthest that an end moves.
GAP, REACH = 0.35, 2.0
# How much blank paper an end may have before it comes in, and how much it keeps.
BLANK_MAX, BLANK_KEPT = 0.9, 0.3
# The same for boxes narrower than so many heights: a figure with as much paper on its sides is half a box.
NARROW, NARROW_BLANK_MAX, NARROW_BLANK_KEPT = 2.5, 0.25, 0.15
# The paper's brightness is the mean over a window of this size, and ink is darker by this much.
WINDOW_PX, DARKER = 31, 14
# Rules of forms in the network's input: at least so long along and down the page, and less thick than this.
RULE_ALONG_PX, RULE_DOWN_PX, RULE_THICK_PX = 40, 45, 8


def ink_mask(pixels: Image) -> Flags:
    """Where the image ``(H, W, 3)`` is darker than the paper around: ``bool (H, W)``."""
    grey = grey_of(pixels)
    paper = cv2.blur(grey, (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(paper, grey) > DARKER, dtype=np.bool_)


def without_rules(ink: Flags) -> Flags:
    """The ink ``(H, W)`` without the rules of forms: an end that followed them would run to the next cell."""
    mask = ink.astype(np.uint8)
    text = mask.copy()
    shapes = (
        ((1, RULE_ALONG_PX), (RULE_THICK_PX, 1), (3, 1)),
        ((RULE_DOWN_PX, 1), (1, RULE_THICK_PX), (1, 3)),
    )
    for run, thick, lean in shapes:
        wide = cv2.dilate(mask, np.ones(lean, np.uint8))
        runs = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones(run, np.uint8))
        text &= ~(runs & ~cv2.morphologyEx(runs, cv2.MORPH_OPEN, np.ones(thick, np.uint8)))
    return np.asarray(text, dtype=np.bool_)


def reach_ends(boxes: Floats, ink: Flags, squeeze: float) -> Floats:
    """Boxes ``(N, 4)`` left, top, right, bottom whose ends have followed the ink.

    ``ink`` is that of the network's input, its columns squeezed by ``squeeze``. An end moves to the
    last ink that no gap between words parts from it, and never into another box.
    """
    moved = boxes.copy()
    for index, (left, top, right, bottom) in enumerate(boxes):
        height = bottom - top
        rows = ink[max(0, round(top + TOP * height)) : max(0, round(top + BOTTOM * height))]
        before, after = _room(boxes, index, ink.shape[1])
        reach, gap = REACH * height * squeeze, max(1, round(GAP * height * squeeze))
        start, stop = max(0, round(left)), min(ink.shape[1], round(right))
        leftwards = _inked(rows[:, max(0, round(max(before, left - reach))) : start])[::-1]
        rightwards = _inked(rows[:, stop : round(min(after, right + reach))])
        within = _inked(rows[:, start:stop])
        unit = height * squeeze
        moved[index, 0] += _blank(within, unit) - _run(leftwards, gap)
        moved[index, 2] -= _blank(within[::-1], unit) - _run(rightwards, gap)
    return moved


def _blank(inked: Flags, unit: float) -> float:
    """How far an end comes in: all but a little of the blank columns before the ink, if they are many."""
    columns = np.flatnonzero(inked)
    blank = float(columns[0]) if len(columns) else 0.0
    most, kept = BLANK_MAX, BLANK_KEPT
    if len(inked) < NARROW * unit:
        most, kept = NARROW_BLANK_MAX, NARROW_BLANK_KEPT
    return blank - kept * unit if blank > most * unit else 0.0


def _room(boxes: Floats, index: int, width: int) -> tuple[float, float]:
    """How far a box may grow: to its neighbours in the same rows, or the image's sides."""
    left, top, right, bottom = boxes[index]
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    beside = (middle > top) & (middle < bottom)
    beside[index] = False
    centre = (left + right) / 2
    ends = boxes[beside & (boxes[:, 2] < centre), 2]
    starts = boxes[beside & (boxes[:, 0] > centre), 0]
    return max(0.0, *ends) if len(ends) else 0.0, min(width, *starts) if len(starts) else width


def _inked(rows: Flags) -> Flags:
    """Which columns hold ink in any of the rows."""
    return np.asarray(rows.any(axis=0), dtype=np.bool_)


def _run(inked: Flags, gap: int) -> int:
    """Length of the run of ink from the start on, across gaps of up to ``gap`` columns."""
    end = 0
    for column in np.flatnonzero(inked):
        if column - end > gap:
            break
        end = int(column) + 1
    return end
