"""What is done to a page before it goes to the stages, where it is a bad copy or photograph.

Pages that are neither strewn with specks, nor faint, nor grainy go as they came; so do answers, previews
and searchable PDFs, which show the page as it was sent (docs/decisions/0028-bad-copies.md).
"""

from __future__ import annotations

from statistics import NormalDist

import cv2
import numpy as np

from deployments.grey import Grey, grey_of, levels_of
from deployments.specks import without_specks
from deployments.types import Image

# The darkest and the lightest level of a page, but for these shares of its pixels.
_DARKEST, _LIGHTEST = 0.005, 0.995
# Pages whose levels are closer together than that are drawn out. A few words in strong ink are a smaller
# share than the above, so all but a twentieth of a per cent counts here.
_FAINT_LEVELS, _STRONG_INK = 100, 0.0005
# Ink is so much stronger than the noise of the paper and stands so many levels out of it; what is fainter
# is a watermark, or what shows through from the other side.
_INK_OVER_NOISE, _INK_LEVELS = 6.0, 10.0
# How far contrast is raised at most: what shows through stays fainter than ink.
_MOST_GAIN = 5.0
# A pixel's surroundings, for what stands out of them.
_AROUND_PX = 25
# Grain has this sigma or more, in levels of a page whose contrast is full; few labelled pages have it.
_GRAINY = 11.0
_SMOOTHING_PX = 0.7
_MIDDLE_PX, _EVERY = 512, 3


def restored(page: Image) -> Image:
    """The page ``uint8 (H, W, 3)``, or a copy without specks and grain and of full contrast."""
    return without_grain(with_full_contrast(without_specks(page)))


def with_full_contrast(page: Image) -> Image:
    """A faint or dark page drawn out towards black and white; one without ink, or any other, as it is."""
    some = np.ascontiguousarray(page[::_EVERY, ::_EVERY])
    shares = _STRONG_INK, _DARKEST, _LIGHTEST, 1 - _STRONG_INK
    least, darkest, lightest, most = levels_of(grey_of(some), *shares)
    if most - least >= _FAINT_LEVELS or not has_ink(page):
        return page
    gain = min(255 / max(lightest - darkest, 1.0), _MOST_GAIN)
    levels = 255 - (lightest - np.arange(256)) * gain
    return np.asarray(cv2.LUT(page, np.clip(np.rint(levels), 0, 255).astype(np.uint8)), np.uint8)


def without_grain(page: Image) -> Image:
    """A grainy page smoothed by less than a pixel; others as they are."""
    # Where paper is white noise is cut off on its lighter side, so the greater half of it tells.
    if _noise_levels(_middle(page), 0.75) < _GRAINY:
        return page
    return np.asarray(cv2.GaussianBlur(page, (0, 0), _SMOOTHING_PX), np.uint8)


def has_ink(page: Image) -> bool:
    """Whether anything stands out of what is around it more than noise and uneven light do."""
    grey = grey_of(page)
    around = cv2.blur(grey, (_AROUND_PX, _AROUND_PX))
    (depth,) = levels_of(cv2.absdiff(grey, around), _LIGHTEST)
    return depth >= max(_INK_OVER_NOISE * _noise_levels(grey), _INK_LEVELS)


def _noise_levels(grey: Grey, share: float = 0.5) -> float:
    """Sigma of the noise, were it Gaussian, by how far this share of the pixels is from those around them."""
    (strange,) = levels_of(cv2.absdiff(grey, cv2.medianBlur(grey, 3)), share)
    return strange / NormalDist().inv_cdf((1 + share) / 2)


def _middle(page: Image) -> Grey:
    """Grey of the middle of a page."""
    top, left = (max(side - _MIDDLE_PX, 0) // 2 for side in page.shape[:2])
    return grey_of(np.ascontiguousarray(page[top : top + _MIDDLE_PX, left : left + _MIDDLE_PX]))
