"""How large the text of a small page is, before any line of it is found."""

from __future__ import annotations

import cv2
import numpy as np

from deployments.detection.line_ends import ink_mask
from deployments.types import Image

# Pieces of ink that are no letters nor words: lower or narrower than this, as high as most of the page,
# many times as wide as high, or of a few pixels.
LEAST_HEIGHT_PX, LEAST_WIDTH_PX, MOST_HEIGHT, MOST_ASPECT, LEAST_AREA_PX = 4, 2, 0.6, 12, 8
LEAST_PIECES = 3


def letter_height(page: Image) -> float:
    """Median height of the pieces of a page's ink, by their widths, px; 0 where there are few."""
    ink = ink_mask(np.ascontiguousarray(page)).astype(np.uint8)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    width, height = pieces[1:, cv2.CC_STAT_WIDTH], pieces[1:, cv2.CC_STAT_HEIGHT]
    is_text = (height >= LEAST_HEIGHT_PX) & (height < MOST_HEIGHT * page.shape[0])
    is_text &= (width >= LEAST_WIDTH_PX) & (width < MOST_ASPECT * height)
    is_text &= pieces[1:, cv2.CC_STAT_AREA] >= LEAST_AREA_PX
    width, height = width[is_text], height[is_text]
    if len(height) < LEAST_PIECES:
        return 0.0
    order = np.argsort(height)
    reached = np.cumsum(width[order])
    return float(height[order[np.searchsorted(reached, reached[-1] / 2)]])
