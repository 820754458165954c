"""From a page to the detector's input, and from the detector's boxes back to quads.

The same code feeds training, evaluation and serving. Text lines are wide and low, so a network
needs far more detail across them than along them: the input may be squeezed horizontally, which
halves its cost and brings a whole line into the network's view.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deployments import geometry
from deployments.detection.letters import letter_height
from deployments.detection.resample import resize
from deployments.detection.skew import Pose
from deployments.errors import StageFailed
from deployments.types import Image, Points

PAD_LEVEL = 114
A4_ASPECT = 2**0.5
UPRIGHT = Pose()


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a weight wants its pages, as stored under ``input`` of its metadata.

    ``long_side_px`` is the length of the page's longer side at the network, before the squeeze;
    ``squeeze`` multiplies the width alone. A page narrower than A4, as receipts are, stays as wide at
    the network as A4 would be, until its squeeze reaches ``narrow_squeeze``, and a still narrower one is
    longer, up to ``narrow_long_side_px``, until it has as many pixels as A4. Sides are padded to
    ``multiple_px``. Small pages are enlarged by at most ``max_upscale`` and, where ``letter_px`` is
    given, until their letters are that high.
    """

    long_side_px: int = 1280
    squeeze: float = 0.5
    multiple_px: int = 32
    max_upscale: float = 1.0
    narrow_squeeze: float = 0.0
    narrow_long_side_px: int = 0
    letter_px: float = 0.0

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> InputSpec:
        """Read the ``input`` object of a weight's metadata; unknown or bad keys raise ValueError."""
        try:
            spec = cls(**metadata)
        except TypeError as error:
            raise ValueError(f"metadata: input: {error}") from error
        positive = (
            min(spec.squeeze, spec.max_upscale) > 0
            and min(spec.narrow_squeeze, spec.narrow_long_side_px, spec.letter_px) >= 0
        )
        if min(spec.long_side_px, spec.multiple_px) < 1 or not positive:
            raise ValueError(f"metadata: input: sizes and scales are positive, got {spec}")
        return spec

    def scale(self, height_px: int, width_px: int, letter_px: float = 0.0) -> float:
        """Vertical scale of a page of this size, whose letters are as high as said, 0 where nobody knows."""
        fitting = min(self.max_upscale, self.long_side_of(height_px, width_px) / max(height_px, width_px))
        if fitting <= 1 or not self.letter_px or not letter_px:
            return fitting
        return min(fitting, max(1.0, self.letter_px / letter_px))

    def long_side_of(self, height_px: int, width_px: int) -> float:
        """Length of the longer side of an upright page of this size at the network, before the squeeze."""
        narrowness = height_px / width_px / A4_ASPECT
        pixels_of_a4 = self.squeeze_of(height_px, width_px) / self.squeeze / narrowness
        longer = self.long_side_px / math.sqrt(min(1.0, pixels_of_a4))
        return max(self.long_side_px, min(self.narrow_long_side_px, longer))

    def squeeze_of(self, height_px: int, width_px: int) -> float:
        """What multiplies the width of an upright page of this size, beside its scale."""
        as_wide_as_a4 = self.squeeze * height_px / width_px / A4_ASPECT
        return max(self.squeeze, min(self.narrow_squeeze, as_wide_as_a4))


@dataclass(frozen=True, slots=True)
class PageInput:
    """One page as the network sees it.

    ``pixels`` is ``uint8 (h, w, 3)`` RGB, padded at the right and bottom; ``to_page`` is the
    homography ``(3, 3)`` from its points to the page's; ``page_size_px`` is (width, height) of the
    page as it came.
    """

    pixels: Image
    to_page: geometry.Homography
    skew_deg: float
    page_size_px: tuple[int, int]

    @property
    def from_page(self) -> geometry.Homography:
        """From points of the page to those of the input."""
        return geometry.invert(self.to_page)

    @property
    def squeeze(self) -> float:
        """Width of what lies in the middle of the input, of what it would be at the input's height."""
        along, across = self.page_px
        return across / along

    @property
    def page_px(self) -> tuple[float, float]:
        """Pixels of the page for one of the input, in its middle: along lines, and across them."""
        y, x = (side / 2 for side in self.pixels.shape[:2])
        step = 8.0
        points = np.array([[x, y], [x + step, y], [x, y + step]], np.float32)
        middle, along, across = geometry.project_points(points, self.to_page)
        return float(np.linalg.norm(along - middle)) / step, float(np.linalg.norm(across - middle)) / step


def check_page(page: Image) -> None:
    """Raise :class:`StageFailed` unless the page is a non-empty ``uint8 (H, W, 3)`` array."""
    if page.ndim != 3 or page.shape[2] != 3 or page.dtype != np.uint8 or 0 in page.shape:
        raise StageFailed(f"a page is uint8 (H, W, 3), not {page.dtype} {page.shape}")


def fit_page(page: Image, spec: InputSpec, pose: Pose = UPRIGHT) -> PageInput:
    """Lay upright, straighten, scale, squeeze and pad a page."""
    check_page(page)
    height_px, width_px = page.shape[:2]
    turn, _ = geometry.rotation(90.0 * pose.quarter_turns, width_px, height_px)
    upright = np.ascontiguousarray(np.rot90(page, pose.quarter_turns))
    fitted, to_input = _fit_upright(upright, spec, pose)
    pixels = pad_to(fitted, *(_round_up(side, spec.multiple_px) for side in fitted.shape[:2]))
    to_page = geometry.invert(to_input @ geometry.as_homography(turn))
    return PageInput(pixels, to_page, pose.skew_deg, (width_px, height_px))


def _fit_upright(page: Image, spec: InputSpec, pose: Pose) -> tuple[Image, geometry.Homography]:
    """The page at the network's scale, its baselines level, and the map of its points."""
    page_height, page_width = page.shape[:2]
    small = spec.letter_px > 0 and max(page_height, page_width) < spec.long_side_px
    scale = spec.scale(page_height, page_width, letter_height(page) if small else 0.0)
    squeeze = spec.squeeze_of(page_height, page_width)
    height = max(1, round(page_height * scale))
    if pose.skew_deg == 0 and pose.keystone == 0:
        width = max(1, round(page_width * scale * squeeze))
        return resize(page, width, height), _scaling(width / page_width, height / page_height)
    width = max(1, round(page_width * scale))
    fitted, reduced = resize(page, width, height), _scaling(width / page_width, height / page_height)
    turn, (levelled_width, levelled_height) = geometry.rotation(-pose.skew_deg, width, height)
    level = geometry.as_homography(turn)
    if pose.keystone:
        # Along the skewed middle line the same way up or down is shorter.
        per_px = pose.keystone * math.cos(math.radians(pose.skew_deg)) / max(width, height)
        straighten, (levelled_width, levelled_height) = geometry.level_keystone(
            per_px, levelled_width, levelled_height
        )
        level = straighten @ level
    squeezed = _scaling(squeeze, 1.0) @ level
    size = (max(1, round(levelled_width * squeeze)), levelled_height)
    if pose.keystone:
        return geometry.warp_projective(fitted, squeezed, size, PAD_LEVEL), squeezed @ reduced
    return geometry.warp(fitted, squeezed[:2], size, fill=PAD_LEVEL), squeezed @ reduced


def page_quad(box: npt.NDArray[np.float32], page: PageInput) -> Points:
    """Map a box ``(left, top, right, bottom)`` of the network's input to a quad on the page."""
    left, top, right, bottom = (float(value) for value in box)
    quad = geometry.quad_from_box((left, top, right - left, bottom - top))
    return geometry.clip_quad(geometry.project_points(quad, page.to_page), *page.page_size_px)


def pad_to(image: Image, height_px: int, width_px: int) -> Image:
    """Extend to a size at the right and bottom with grey; contiguous."""
    below, beside = height_px - image.shape[0], width_px - image.shape[1]
    if below or beside:
        grey = (PAD_LEVEL,) * 3
        image = np.asarray(
            cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=grey), dtype=np.uint8
        )
    return np.ascontiguousarray(image)


def _scaling(horizontal: float, vertical: float) -> geometry.Homography:
    return np.diag([horizontal, vertical, 1.0])


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
