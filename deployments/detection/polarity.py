"""Pages whose letters are lighter than their paper: photostats, microfilm, pictures of a dark screen."""

from __future__ import annotations

import cv2
import numpy as np

from deployments.detection.resample import resize
from deployments.grey import grey_of
from deployments.types import Image

# A page whose middle level is above this is paper, whatever stands on it.
DARK = 144
LONG_SIDE_PX, WINDOW_PX = 800, 25
# How lopsided the levels around their local mean are, as a skewness. Strokes are few and strong: on 75
# labelled pages it lies between -8.8 and -0.7, on their negatives between 0.7 and 8.8.
LOPSIDED = 0.6


def dark_on_light(page: Image) -> Image:
    """The page with dark letters on light paper: itself, or its negative. ``uint8 (H, W, 3)``."""
    return np.asarray(cv2.bitwise_not(page), np.uint8) if is_negative(page) else page


def is_negative(page: Image) -> bool:
    """Whether letters are light on a dark page. Pages on light paper are told by a glance."""
    height, width = page.shape[:2]
    step = max(1, min(height, width) // 128)
    if np.median(page[::step, ::step, 1]) > DARK:
        return False
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    reduced = resize(grey_of(page), max(1, round(width * scale)), max(1, round(height * scale)))
    apart = reduced.astype(np.float32) - cv2.blur(reduced, (WINDOW_PX, WINDOW_PX)).astype(np.float32)
    spread = float(np.sqrt(np.square(apart).mean()))
    return spread > 0 and float((apart**3).mean()) > LOPSIDED * spread**3
