"""From YOLO's candidates to one box a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torchvision.ops import nms

Floats = npt.NDArray[np.float32]

MAX_CANDIDATES = 3000
# Shares: of the height of two boxes that they have in common, and of the narrower one's width.
SAME_ROW = 0.6
SAME_LINE = 0.1
# Share of a box within a weaker one from which the weaker one must not read it again; where the
# weaker one spans its whole height, letters of it and not a neighbour's, a smaller share of its width.
SWALLOWED = 0.6
SPANNED, BEGUN = 0.8, 0.25


@dataclass(frozen=True, slots=True)
class Selection:
    """When two boxes are one line.

    ``iou``: overlap from which the weaker box is a duplicate; ``containment``: share of a box
    within one surer box from which it is a fragment; ``max_lines``: boxes kept, the surest first.
    """

    iou: float
    containment: float
    max_lines: int


def select_lines(boxes: Floats, scores: Floats, selection: Selection) -> tuple[Floats, Floats]:
    """Drop duplicates and fragments, join pieces, part what overlaps; the surest line first.

    ``boxes`` is ``(N, 4)`` left, top, right, bottom; ``scores`` ``(N,)``.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    boxes, scores = boxes[order], scores[order]
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), selection.iou).numpy()
    boxes, scores = boxes[kept], scores[kept]
    whole = ~_fragments(boxes, selection.containment)
    boxes, scores = _cut_overlaps(*_join_pieces(boxes[whole], scores[whole]))
    return boxes[: selection.max_lines], scores[: selection.max_lines]


def _fragments(boxes: Floats, containment: float) -> npt.NDArray[np.bool_]:
    """Which boxes lie within an earlier (surer) one."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 1e-6, None).prod(axis=1)
    inside = np.tril(shared / area[:, None], k=-1)
    return np.asarray((inside >= containment).any(axis=1))


def _join_pieces(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Join boxes that overlap end to end in one row: a long line that was found in pieces.

    Two lines side by side do not overlap, and lines above each other share little height. A
    joined box has the height and the score of its surest piece.
    """
    if len(boxes) < 2:
        return boxes, scores
    left, top, right, bottom = boxes.T
    across, down = _shared_sides(boxes)
    height = np.maximum(bottom[:, None], bottom) - np.minimum(top[:, None], top)
    narrower = np.minimum((right - left)[:, None], right - left)
    one_line = (down > SAME_ROW * height) & (across > SAME_LINE * narrower)
    joined = boxes.copy()
    taken = np.zeros(len(boxes), bool)
    heads = []
    for index in range(len(boxes)):
        if taken[index]:
            continue
        pieces = one_line[index] & ~taken
        pieces[index] = True
        taken |= pieces
        joined[index, 0], joined[index, 2] = left[pieces].min(), right[pieces].max()
        heads.append(index)
    return joined[heads], scores[heads]


def _cut_overlaps(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Cut from each box what a surer box within it already covers, so that no text is read twice.

    A box over a label and its answer is left with the answer where the label has a surer box of
    its own. Of the two sides that remain the wider one is kept, unless it is no wider than high.
    """
    cut = boxes.copy()
    kept: list[int] = []
    # Boxes only shrink: what does not touch now never will, and few do.
    across, down = _shared_sides(boxes)
    touching = (across > 0) & (down > 0)
    for index in range(len(boxes)):
        for surer in kept:
            if touching[index, surer]:
                _cut_beside(cut[index], cut[surer])
        left, top, right, bottom = cut[index]
        if right - left == boxes[index, 2] - boxes[index, 0] or right - left > bottom - top:
            kept.append(index)
    return cut[kept], scores[kept]


def _shared_sides(boxes: Floats) -> tuple[Floats, Floats]:
    """Width and height, each ``(N, N)``, that any two boxes share; below 0 where they lie apart."""
    left, top, right, bottom = boxes.T
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    down = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    return across, down


def _cut_beside(box: Floats, surer: Floats) -> None:
    """Cut ``box`` in place to the wider side of ``surer``, if it reads letters of that too."""
    shared = np.clip(np.minimum(box[2:], surer[2:]) - np.maximum(box[:2], surer[:2]), 0, None)
    across, down = shared / np.clip(surer[2:] - surer[:2], 1e-6, None)
    if across * down < SWALLOWED and (down < SPANNED or across < BEGUN):
        return
    if surer[0] - box[0] > box[2] - surer[2]:
        box[2] = surer[0]
    else:
        box[0] = surer[2]
