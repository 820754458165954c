"""Labelled pages as a camera beside them sees them: a measure of what that costs."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from deployments.geometry import project_points, quad_bounds, quad_from_box
from deployments.types import Image

TABLE = (90, 75, 60)


def seen_aside(
    page: Image, quads: npt.NDArray[np.float32], share: float, rng: np.random.Generator
) -> tuple[Image, npt.NDArray[np.float32]]:
    """The page on a table, each corner moved by up to ``share`` of its sides, and its quads ``(N, 4, 2)``."""
    height, width = page.shape[:2]
    corners = quad_from_box((0.0, 0.0, width, height))
    moved = corners + rng.uniform(-share, share, (4, 2)) * (width, height)
    left, top, seen_width, seen_height = quad_bounds(moved.astype(np.float32))
    placed = (moved - (left, top)).astype(np.float32)
    aside = np.asarray(cv2.getPerspectiveTransform(corners, placed), np.float64)
    size = (round(seen_width), round(seen_height))
    picture = cv2.warpPerspective(page, aside, size, flags=cv2.INTER_LINEAR, borderValue=TABLE)
    return np.asarray(picture, np.uint8), project_points(quads, aside)
