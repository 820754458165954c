"""Resampling of pages: fast where ``cv2.INTER_AREA`` is not, and like it with little aliasing."""

from __future__ import annotations

import cv2
import numpy as np

from deployments.types import Image


def resize(image: Image, width_px: int, height_px: int) -> Image:
    """Resample ``uint8 (H, W)`` or ``(H, W, C)`` to a size.

    Halves it while it can, which OpenCV does at the speed of memory, averages over about as many
    pixels as become one, and interpolates: ``cv2.INTER_AREA`` is slow at any other factor.
    """
    height, width = image.shape[:2]
    while height >= 2 * height_px and width >= 2 * width_px:
        # An odd last row or column is left out, a pixel of the page: only exact halves are fast.
        width, height = width // 2, height // 2
        even = image[: 2 * height, : 2 * width]
        image = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if (height, width) == (height_px, width_px):
        return image
    window = (_odd(width / width_px), _odd(height / height_px))
    if window != (1, 1):
        image = np.asarray(cv2.blur(image, window, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)
    linear = cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return np.asarray(linear, dtype=np.uint8)


def _odd(factor: float) -> int:
    """The odd number nearest to a factor: windows of even sizes would shift the image."""
    return max(1, 2 * round((factor - 1) / 2) + 1)
