"""From YOLO's candidates to one box a line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torchvision.ops import nms

Floats = npt.NDArray[np.float32]

MAX_CANDIDATES = 3000


def select_lines(
    boxes: Floats, scores: Floats, iou: float, containment: float, max_lines: int
) -> tuple[Floats, Floats]:
    """Drop duplicates, then fragments of surer lines; the surest first.

    ``boxes`` is ``(N, 4)`` left, top, right, bottom; ``scores`` ``(N,)``. ``iou`` is the overlap
    from which two boxes are one line, ``containment`` the share of a box that may lie inside one
    surer box before it counts as a piece of it.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    boxes, scores = boxes[order], scores[order]
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou).numpy()
    boxes, scores = boxes[kept], scores[kept]
    whole = ~_fragments(boxes, containment)
    return boxes[whole][:max_lines], scores[whole][:max_lines]


def _fragments(boxes: Floats, containment: float) -> npt.NDArray[np.bool_]:
    """Which boxes lie within an earlier (surer) one."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 1e-6, None).prod(axis=1)
    inside = np.tril(shared / area[:, None], k=-1)
    return np.asarray((inside >= containment).any(axis=1))
