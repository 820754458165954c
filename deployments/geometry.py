"""Quads, boxes and crops: numpy and OpenCV only.

Conventions are those of :mod:`deployments.types`: points are ``(x, y)`` pixels with y down and
pixel centres at half-integers; a quad is ``float32 (4, 2)``, top-left, top-right, bottom-right,
bottom-left as the text is read. A box is axis-aligned ``(x, y, width, height)``. Angles are
degrees, positive when they turn counter-clockwise as seen on the page.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from deployments.types import Image, Points

Box = tuple[float, float, float, float]
Boxes = npt.NDArray[np.float32]
Affine = npt.NDArray[np.float64]
Homography = npt.NDArray[np.float64]

MIN_SIDE_PX = 1.0


class DegenerateQuad(ValueError):
    """The quad has no usable area: not finite, a side under a pixel, folded or mirrored."""


def quad_from_box(box: Box) -> Points:
    """The quad of an axis-aligned box, read from left to right."""
    x, y, width, height = box
    right, bottom = x + width, y + height
    return np.array([[x, y], [right, y], [right, bottom], [x, bottom]], dtype=np.float32)


def quad_bounds(quad: Points) -> Box:
    """The axis-aligned ``(x, y, width, height)`` around a quad."""
    left, top = quad.min(axis=0)
    right, bottom = quad.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def quad_size(quad: Points) -> tuple[float, float]:
    """``(width, height)`` in pixels along and across the text: means of opposite edges."""
    # Four points are too few for numpy: plain numbers take a tenth of the time, a few times a line.
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad.tolist()
    width = math.hypot(bx - ax, by - ay) + math.hypot(cx - dx, cy - dy)
    height = math.hypot(dx - ax, dy - ay) + math.hypot(cx - bx, cy - by)
    return width / 2, height / 2


def quad_area(quad: Points) -> float:
    """Signed area in square pixels; positive for a quad whose corners are in our order."""
    x, y = quad[:, 0].astype(np.float64), quad[:, 1].astype(np.float64)
    return float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2


def check_quad(quad: Points) -> None:
    """Raise :class:`DegenerateQuad` unless the quad is convex, in order, and over a pixel a side."""
    if quad.shape != (4, 2):
        raise DegenerateQuad(f"a quad has shape (4, 2), not {quad.shape}")
    if not np.isfinite(quad).all():
        raise DegenerateQuad("a corner of the quad is not finite")
    width, height = quad_size(quad)
    if width < MIN_SIDE_PX or height < MIN_SIDE_PX:
        raise DegenerateQuad(f"the quad is {width:.2f} x {height:.2f} px, under {MIN_SIDE_PX:g} px a side")
    corners = quad.tolist()
    if not all(_turns_right(*(corners[(i + k) % 4] for k in range(3))) for i in range(4)):
        raise DegenerateQuad("the quad is folded, mirrored or flat")


def _turns_right(before: list[float], corner: list[float], after: list[float]) -> bool:
    """Whether the way over three points bends to the right, as seen on the page."""
    (ax, ay), (bx, by), (cx, cy) = before, corner, after
    return (bx - ax) * (cy - by) - (by - ay) * (cx - bx) > 0


def clip_quad(quad: Points, width_px: float, height_px: float) -> Points:
    """Move corners that lie outside the page onto its border."""
    return np.clip(quad, 0, [width_px, height_px]).astype(np.float32)


def grow_quad(quad: Points, along_px: float, across_px: float) -> Points:
    """Move the sides outwards (inwards if negative) along and across the text, in pixels."""
    width, height = quad_size(quad)
    # Four points are too few for numpy: plain numbers take a fifth of the time, twice a line.
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad.tolist()
    right = along_px / max(width, 1e-6) / 2
    down = across_px / max(height, 1e-6) / 2
    along_x, along_y = (bx - ax + cx - dx) * right, (by - ay + cy - dy) * right
    across_x, across_y = (dx - ax + cx - bx) * down, (dy - ay + cy - by) * down
    grown = (
        (ax - along_x - across_x, ay - along_y - across_y),
        (bx + along_x - across_x, by + along_y - across_y),
        (cx + along_x + across_x, cy + along_y + across_y),
        (dx - along_x + across_x, dy - along_y + across_y),
    )
    return np.array(grown, dtype=np.float32)


def rotate_points(points: Points, angle_deg: float, centre: tuple[float, float]) -> Points:
    """Turn points ``(..., 2)`` counter-clockwise, as seen on the page, around ``centre``."""
    angle = math.radians(angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = np.asarray(centre)
    return np.asarray((points - middle) @ turn + middle, dtype=np.float32)


def rotation(angle_deg: float, width_px: int, height_px: int) -> tuple[Affine, tuple[int, int]]:
    """The affine map ``(2, 3)`` that turns a page counter-clockwise and keeps all of it in view.

    Returns the map of points from the page to the turned page, and its ``(width, height)``.
    """
    angle = math.radians(angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    width = math.ceil(abs(width_px * cos) + abs(height_px * sin) - 1e-6)
    height = math.ceil(abs(width_px * sin) + abs(height_px * cos) - 1e-6)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([width / 2, height / 2]) - turn @ np.array([width_px / 2, height_px / 2])
    return np.column_stack([turn, shift]), (width, height)


def transform_points(points: Points, affine: Affine) -> Points:
    """Map points ``(..., 2)`` by an affine ``(2, 3)``."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], dtype=np.float32)


def project_points(points: Points, homography: Homography) -> Points:
    """Map points ``(..., 2)`` by a homography ``(3, 3)``."""
    ends = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(ends[..., :2] / ends[..., 2:], dtype=np.float32)


def as_homography(affine: Affine) -> Homography:
    """An affine map ``(2, 3)`` as ``(3, 3)``."""
    return np.vstack([affine, [0.0, 0.0, 1.0]])


def invert(homography: Homography) -> Homography:
    """The inverse of a homography ``(3, 3)``."""
    return np.asarray(np.linalg.inv(homography), np.float64)


def warp(image: Image, affine: Affine, size_px: tuple[int, int], fill: int | None = None) -> Image:
    """Resample ``image`` through a map of points given in our half-integer convention.

    ``size_px`` is ``(width, height)``. Outside the page lies ``fill``, or the nearest border
    pixel when it is None.
    """
    # OpenCV puts pixel centres at integers: shift by half a pixel before and after.
    shifted = affine.copy()
    shifted[:, 2] += affine[:, :2] @ np.array([0.5, 0.5]) - 0.5
    border = cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT
    warped = cv2.warpAffine(
        image, shifted, size_px, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=(fill or 0,) * 3
    )
    return np.ascontiguousarray(warped, dtype=np.uint8)


def warp_projective(image: Image, homography: Homography, size_px: tuple[int, int], fill: int) -> Image:
    """As :func:`warp`, through a homography ``(3, 3)``."""
    half = _translation(0.5, 0.5)
    shifted = invert(half) @ homography @ half
    warped = cv2.warpPerspective(
        image,
        shifted,
        size_px,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill,) * 3,
    )
    return np.ascontiguousarray(warped, dtype=np.uint8)


def level_keystone(
    keystone_per_px: float, width_px: int, height_px: int
) -> tuple[Homography, tuple[int, int]]:
    """The homography that makes lines parallel whose slopes differ, and keeps all of the page in view.

    The line through the page's middle is level already; others rise to the right by
    ``keystone_per_px`` more, as a slope, for every pixel that they lie lower.

    Returns the map of points from the page to the levelled page, and its ``(width, height)``.
    """
    project = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-keystone_per_px, 0.0, 1.0]])
    levelled = project @ _translation(-width_px / 2, -height_px / 2)
    corners = project_points(quad_from_box((0.0, 0.0, width_px, height_px)), levelled)
    left, top, width, height = quad_bounds(corners)
    return _translation(-left, -top) @ levelled, (math.ceil(width - 1e-3), math.ceil(height - 1e-3))


def _translation(x: float, y: float) -> Homography:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def cut_crop(page: Image, quad: Points, max_height_px: int = 64, margin: float = 0.0) -> Image:
    """Cut a line out of the page along its quad, upright: ``uint8 (h, w, 3)``, contiguous.

    The crop has the quad's own size, reduced (area-averaged, never enlarged) when it is taller
    than ``max_height_px``. ``margin`` widens the cut on all four sides, as a fraction of the
    line's height; what lies beyond the page repeats its border. Raises
    :class:`DegenerateQuad`.
    """
    check_quad(quad)
    if margin:
        margin_px = margin * quad_size(quad)[1]
        quad = grow_quad(quad, margin_px, margin_px)
        check_quad(quad)
    native = _cut_box(page, quad)
    if native is None:
        native = _cut_warped(page, quad)
    height, width = native.shape[:2]
    if height > max_height_px:
        size = (max(1, round(width * max_height_px / height)), max_height_px)
        native = cv2.resize(native, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return np.ascontiguousarray(native)


def _cut_box(page: Image, quad: Points) -> Image | None:
    """The plain slice for an upright quad inside the page; None when a warp is needed."""
    upright = quad_from_box(quad_bounds(quad))
    if np.abs(upright - quad).max() > 0.25:
        return None
    (left, top), (right, bottom) = np.rint(quad[0]).astype(int), np.rint(quad[2]).astype(int)
    page_height, page_width = page.shape[:2]
    if left < 0 or top < 0 or right > page_width or bottom > page_height or left >= right or top >= bottom:
        return None
    return page[top:bottom, left:right]


def _cut_warped(page: Image, quad: Points) -> Image:
    width, height = quad_size(quad)
    columns, rows = max(1, round(width)), max(1, round(height))
    target = quad_from_box((0.0, 0.0, columns, rows))
    is_parallelogram = np.abs(quad[0] + quad[2] - quad[1] - quad[3]).max() < 0.5
    if is_parallelogram:
        affine = np.asarray(cv2.getAffineTransform(quad[[0, 1, 3]], target[[0, 1, 3]]), dtype=np.float64)
        return warp(page, affine, (columns, rows))
    matrix = cv2.getPerspectiveTransform(quad - 0.5, target - 0.5)
    cut = cv2.warpPerspective(
        page, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cut, dtype=np.uint8)


def boxes_iou(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes ``(N, 4)`` and ``(M, 4)`` as ``(x, y, w, h)``: ``(N, M)``."""
    one = np.asarray(first, dtype=np.float64).reshape(-1, 1, 4)
    other = np.asarray(second, dtype=np.float64).reshape(1, -1, 4)
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = one[..., 2:].prod(axis=2) + other[..., 2:].prod(axis=2) - shared
    iou: npt.NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def quad_iou(first: Points, second: Points) -> float:
    """Intersection over union of two convex quads; 0 when either has no area."""
    shared, _ = cv2.intersectConvexConvex(first.astype(np.float32), second.astype(np.float32))
    union = abs(quad_area(first)) + abs(quad_area(second)) - float(shared)
    return float(shared) / union if union > 0 else 0.0
