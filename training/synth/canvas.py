"""Planes of ink and the truth of the lines on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """Truth of one line on the flat sheet.

    ``hull``: float32 ``(K, 2)``, points that the line's quad must hold. ``spine``: float32
    ``(S, 2)``, points along the baseline, left to right. ``chars``: float32 ``(C, 4, 2)``, a quad
    for each character of ``text`` that has ink, with its index in ``text`` in ``char_index``.
    """

    text: str
    kind: str
    hull: Floats
    spine: Floats
    chars: Floats
    char_index: tuple[int, ...]


def blot(plane: Plane, mask: Plane, left: int, top: int) -> None:
    """Adds a mask to the plane, cut at its borders."""
    height, width = mask.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(plane.shape[1], left + width), min(plane.shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return
    window = plane[y0:y1, x0:x1]
    np.maximum(window, mask[y0 - top : y1 - top, x0 - left : x1 - left], out=window)


def inked_indices(text: str) -> tuple[int, ...]:
    return tuple(i for i, c in enumerate(text) if not c.isspace())


def box_quads(boxes: Floats) -> Floats:
    x0, y0, x1, y1 = boxes.T
    return np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=1).reshape(-1, 4, 2).astype(np.float32)


def oriented_quad(hull: Floats, spine: Floats) -> Floats:
    """The tightest rectangle along the spine's direction that holds the hull: TL, TR, BR, BL."""
    direction = _direction(spine)
    normal = np.array([-direction[1], direction[0]], np.float32)
    along, across = hull @ direction, hull @ normal
    corners = ((along.min(), across.min()), (along.max(), across.min()),
               (along.max(), across.max()), (along.min(), across.max()))  # fmt: skip
    return np.asarray([a * direction + b * normal for a, b in corners], np.float32)


def _direction(spine: Floats) -> Floats:
    """Unit direction of reading: the least-squares line through the baseline points."""
    centred = spine - spine.mean(axis=0)
    chord = spine[-1] - spine[0]
    if len(spine) > 2 and np.abs(centred).sum() > 0:
        axis = np.linalg.svd(centred, full_matrices=False)[2][0]
        axis = axis if axis @ chord >= 0 else -axis
    else:
        axis = chord
    return np.asarray(axis / max(float(np.linalg.norm(axis)), 1e-6), np.float32)
