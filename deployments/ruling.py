"""Upright rules of forms and tables, taken off the lines beside and between whose letters they stand.

The side of a cell looks like a 1, an l or a bracket to whoever sees the line alone. It reaches above and
below the line, where no letter goes, so each line is looked at a little taller than it is.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from deployments.geometry import cut_crop, grow_quad, quad_size
from deployments.grey import Grey, grey_of, levels_of
from deployments.types import Image, Points

Spans = list[tuple[int, int]]

# Shares of a line's height: how far above and below it a rule is followed, and how thick one may be.
_REACH = 0.2
_THICKEST = 0.25
# Share of the rows above, in and below the line in which a rule is seen.
_SEEN = 0.85
# Share of a row that a rule along the line covers.
_ALONG = 0.7
# Of the way from paper to ink, and in grey levels: fainter than that a rule is not read as a letter.
_FAINTEST, _FAINTEST_LEVELS = 0.25, 16
# Lines lower than the first are let be; taller ones are looked at as tall as the second.
_LOWEST_PX, _LOOK_PX = 12, 48


class LineCutter:
    """Cuts lines out of one page like :func:`cut_crop`, without the upright rules that run through them.

    A line without rules, or at the edge of the page, comes as it is to the last bit.
    """

    def __init__(self, page: Image, max_height_px: int, margin: float) -> None:
        self._page, self._max_height_px, self._margin = page, max_height_px, margin

    @cached_property
    def _grey(self) -> Grey:
        return grey_of(self._page)

    def cut(self, quad: Points) -> Image:
        """The line in ``quad``: ``uint8 (h, w, 3)``. Raises :class:`DegenerateQuad`."""
        crop = cut_crop(self._page, quad, self._max_height_px, self._margin)
        height_px = quad_size(quad)[1]
        taller = grow_quad(quad, self._margin * height_px, (self._margin + _REACH) * height_px)
        if height_px < _LOWEST_PX or not self._holds(taller):
            return crop
        tall = cut_crop(self._grey, taller, _LOOK_PX)
        reach_px = round(_REACH / (1 + 2 * (self._margin + _REACH)) * tall.shape[0])
        scale = crop.shape[1] / tall.shape[1]
        spans = [(first * scale, last * scale) for first, last in _rules(tall, max(1, reach_px))]
        return _without(crop, [(math.floor(first), math.ceil(last)) for first, last in spans])

    def _holds(self, quad: Points) -> bool:
        height, width = self._page.shape[:2]
        low, high = quad.min(axis=0), quad.max(axis=0)
        return bool(low.min() >= 0 and high[0] <= width and high[1] <= height)


def _rules(grey: Grey, reach_px: int) -> Spans:
    """First and last columns of what runs, thin and dark, through the line and beyond it."""
    # Every other pixel tells as much.
    ink, paper = levels_of(np.ascontiguousarray(grey[::2, ::2]), 0.01, 0.6)
    contrast = max(_FAINTEST * (paper - ink), _FAINTEST_LEVELS)
    height = grey.shape[0]
    top, bottom = _frame(cv2.compare(grey, paper - contrast, cv2.CMP_LT))
    if max(reach_px - top, 0) + max(bottom - (height - reach_px), 0) < reach_px:
        return []  # A letter could be as tall.
    thickest = max(3, round(_THICKEST * (height - 2 * reach_px)))
    # Beyond the ends of the line counts as paper: a rule may stand there with one side cut off.
    pad = 2 * thickest
    wider = cv2.copyMakeBorder(grey, 0, 0, pad, pad, cv2.BORDER_CONSTANT, value=float(paper))
    closed = cv2.morphologyEx(wider, cv2.MORPH_CLOSE, np.ones((1, 2 * thickest + 1), np.uint8))
    thin = cv2.subtract(closed[:, pad:-pad], grey)
    # Rules lean a pixel or two over the height of a line.
    dark = cv2.dilate(cv2.compare(thin, contrast, cv2.CMP_GT), np.ones((1, 3), np.uint8))
    bounds = (top, max(top, reach_px), min(bottom, height - reach_px), bottom)
    parts = [dark[start:end] for start, end in pairwise(bounds) if end > start]
    through = np.all([_share(part, 0) >= _SEEN for part in parts], axis=0)
    edges = np.flatnonzero(np.diff(through.astype(np.int8), prepend=0, append=0))
    spans = zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
    return [(first, last) for first, last in spans if last - first <= thickest + 1]


def _share(dark: cv2.typing.MatLike, axis: int) -> npt.NDArray[np.float32]:
    """Which share of each column (axis 0) or row (axis 1) is 255 and not 0."""
    sums = cv2.reduce(dark, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
    return np.asarray(sums, np.float32).ravel() / np.float32(255 * dark.shape[axis])


def _frame(dark: cv2.typing.MatLike) -> tuple[int, int]:
    """Rows between the rules along the line that are nearest to its middle: the sides of a cell end there.

    Without the row beside each, into which it blurs.
    """
    height = len(dark)
    ruled = np.flatnonzero(_share(dark, 1) >= _ALONG)
    above, below = ruled[ruled < height / 3], ruled[ruled >= height - height / 3]
    return int(above.max(initial=-2)) + 2, int(below.min(initial=height + 1)) - 1


def _without(crop: Image, spans: Spans) -> Image:
    """Each rule painted over with what is left and right of it: letters that cross it stay whole."""
    if not spans:
        return crop
    mended = crop.astype(np.float32)
    width = crop.shape[1]
    for first, last in spans:
        left, right = first - 2, last + 2
        beside = [mended[:, column : column + 1] for column in (left, right) if 0 <= column < width]
        if beside:
            low, high = max(left + 1, 0), min(right, width)
            share = np.linspace(0, 1, high - low + 2, dtype=np.float32)[None, 1:-1, None]
            mended[:, low:high] = beside[0] * (1 - share) + beside[-1] * share
    return np.rint(mended).astype(np.uint8)
