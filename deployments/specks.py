"""Single specks of pages that are strewn with them, as bad copies and faxes are, taken off.

A speck is a pixel that is darker or lighter than all of its eight neighbours. Letters have hardly any, so
a page with many of them is strewn; a detector takes such specks for letters, and letters for parts of a
texture (docs/decisions/0028-bad-copies.md).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import Grey, grey_of
from deployments.types import Image

_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
# Grey levels by which a speck differs from the nearest of its neighbours.
_LEVELS = 48
# Share of the pixels: pages of the labelled sets have 0.0008 or less, a page with one pixel in a hundred
# strewn over it has 0.009.
_STREWN = 0.003
# A page is judged by tiles spread over it.
_TILES, _TILE_PX = 4, 96


def without_specks(page: Image) -> Image:
    """The page ``uint8 (H, W, 3)``, or where it is strewn with specks a copy without them.

    A speck takes the median of the pixels around it; no other pixel changes.
    """
    if not _is_strewn(page):
        return page
    specks = _specks(grey_of(page))
    return np.asarray(np.where(specks[..., None], cv2.medianBlur(page, 3), page), np.uint8)


def _is_strewn(page: Image) -> bool:
    height, width = page.shape[:2]
    if min(height, width) < 3:
        return False  # Nothing has neighbours all around.
    rows = np.linspace(0, max(height - _TILE_PX, 0), _TILES).astype(int)
    columns = np.linspace(0, max(width - _TILE_PX, 0), _TILES).astype(int)
    shares = []
    for top in rows:
        for left in columns:
            tile = np.ascontiguousarray(page[top : top + _TILE_PX, left : left + _TILE_PX])
            shares.append(_specks(grey_of(tile)).mean())
    # All over the page: a picture with a grain, or a few lines of tiny dots, is no reason.
    return bool(np.percentile(shares, 25) > _STREWN)


def _specks(grey: Grey) -> npt.NDArray[np.bool_]:
    darkest, lightest = cv2.erode(grey, _RING), cv2.dilate(grey, _RING)
    strange = cv2.max(cv2.subtract(darkest, grey), cv2.subtract(grey, lightest))
    return np.asarray(strange > _LEVELS, np.bool_)
