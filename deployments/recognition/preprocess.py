"""From a line crop to the input of a line recogniser. The same code trains and serves.

A prepared line is ``float32``, shape ``(H, W)``: paper near 0, ink near 1, whatever the colours
of the crop. Zero is therefore also the right value for padding, in the image and inside the
network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deployments.engine import Prepared
from deployments.errors import Outcome, UnreadableDocument
from deployments.grey import Grey, grey_of, levels_of
from deployments.recognition.light import level_light

Ink = npt.NDArray[np.float32]

# Where ink images end: paper is 0, ink about 1.
INK_MIN, INK_MAX = -1.0, 1.5
# Below this spread of grey levels a crop holds no ink, and stretching it would only amplify noise.
_MIN_CONTRAST = 32
_MAX_DESKEW_DEG = 5.0
_CORE_INK, _EDGE_INK, _MAX_MARGIN = 0.4, 0.3, 0.25
_PROFILE_ROWS, _PROFILE_MAX_WIDTH_PX = 32, 2400


@dataclass(frozen=True, slots=True)
class LineFormat:
    """The input a recogniser was trained on; travels in its metadata.

    ``max_width_px`` bounds the cost of one item: a longer line is squeezed to it. Widths are
    padded to multiples of ``bucket_px`` so that a batch of near-equal lines needs no masks. Lines cut
    so tightly that their letters fill more than ``max_core`` of the height get margins; see
    :func:`loosen`. 1 leaves them as they are.
    """

    height_px: int = 32
    max_width_px: int = 2400
    bucket_px: int = 32
    deskew: bool = False
    adaptive_threshold: bool = False
    max_core: float = 0.55

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> LineFormat:
        """Format from the ``input`` section of a weight's metadata, where the charset stands too.

        Raises:
            ValueError: an unknown key, which is named: a weight read otherwise than it was trained misreads.
        """
        try:
            return cls(**{name: value for name, value in section.items() if name != "charset"})
        except TypeError as error:
            raise ValueError(f"metadata: input: {error}") from error


def prepare_line(image: npt.NDArray[np.uint8], line_format: LineFormat) -> Ink:
    """Prepare one crop.

    Args:
        image: ``uint8``, shape ``(H, W, 3)`` RGB or ``(H, W)`` grey; never written to.
        line_format: target size and optional steps.

    Returns:
        ``float32``, shape ``(height_px, W')`` with ``W'`` a positive multiple of ``bucket_px``.

    Raises:
        UnreadableDocument: the crop has no pixels or is no image.
    """
    return pad_to_bucket(scale_line(image, line_format), line_format.bucket_px)


def scale_line(image: npt.NDArray[np.uint8], line_format: LineFormat) -> Ink:
    """:func:`prepare_line` without the padding: as wide as the crop is at the format's height."""
    grey = level_light(to_grey(image))
    if line_format.deskew:
        grey = deskew(grey)
    if line_format.adaptive_threshold:
        grey = threshold_adaptive(grey)
    if line_format.max_core < 1:
        grey = loosen(grey, line_format.max_core)
    return normalise_ink(resize_to_height(grey, line_format.height_px, line_format.max_width_px))


def prepare_lines(
    images: Sequence[npt.NDArray[np.uint8]], line_format: LineFormat
) -> list[Outcome[Prepared[Ink]]]:
    """Prepare each crop on its own: a bad one yields its error and harms no other.

    A payload is the line as wide as it is; ``Prepared.width`` is the width it is padded to, which
    :func:`stack` does.
    """
    outcomes: list[Outcome[Prepared[Ink]]] = []
    for image in images:
        try:
            ink = scale_line(image, line_format)
        except UnreadableDocument as error:
            outcomes.append(error)
        else:
            height, width = ink.shape
            outcomes.append(Prepared(ink, height, padded_width(width, line_format.bucket_px)))
    return outcomes


def to_grey(image: npt.NDArray[np.uint8]) -> Grey:
    """Luma of an RGB crop; a grey crop is returned as it is.

    Raises:
        UnreadableDocument: the crop has no pixels or is no image.
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise UnreadableDocument("A line crop must be grey or RGB")
    if image.size == 0:
        raise UnreadableDocument("The line crop has no pixels")
    if image.ndim == 2:
        return image
    return grey_of(image)


def resize_to_height(grey: Grey, height_px: int, max_width_px: int) -> Grey:
    """Scale to a height, keeping the aspect up to ``max_width_px``."""
    height, width = grey.shape
    target = min(max(round(width * height_px / height), 1), max_width_px)
    if (height, width) == (height_px, target):
        return grey
    shrinks = height > height_px
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (target, height_px), interpolation=method), dtype=np.uint8)


def loosen(grey: Grey, max_core: float) -> Grey:
    """Give a tightly cut line margins of paper above and below.

    A recogniser learns letters of one size, and a cut along the ink makes them larger. The core is
    the share of rows with at least 0.4 of the ink of the fullest row: half of the height in lines cut
    with their ascenders and descenders. Where the outer rows hold ink themselves there may be a
    neighbour in the cut, which says nothing of this line's size, so it stays as it is.
    """
    profile = _row_profile(grey)
    fullest = float(profile.max())
    core = float((profile > _CORE_INK * fullest).mean())
    if fullest < 1 or core <= max_core or max(profile[0], profile[-1]) > _EDGE_INK * fullest:
        return grey
    margin_px = round(min((core / max_core - 1) / 2, _MAX_MARGIN) * grey.shape[0])
    paper = float(np.median(grey))
    return np.asarray(
        cv2.copyMakeBorder(grey, margin_px, margin_px, 0, 0, cv2.BORDER_CONSTANT, value=paper), np.uint8
    )


def _row_profile(grey: Grey) -> npt.NDArray[np.float32]:
    """Ink of each of 32 rows, smoothed over three, in pixels of a line 32 px high."""
    ink = np.clip(normalise_ink(resize_to_height(grey, _PROFILE_ROWS, _PROFILE_MAX_WIDTH_PX)), 0, 1)
    padded = np.pad(ink.sum(axis=1), 1, mode="edge")
    return np.asarray(padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4, np.float32)


def normalise_ink(grey: Grey) -> Ink:
    """Map paper to 0 and ink to about 1, also for light text on dark ground."""
    paper, ink_level = paper_and_ink(grey)
    sign = 1.0 if ink_level <= paper else -1.0
    contrast = max(abs(paper - ink_level), _MIN_CONTRAST)
    ink = (np.float32(paper) - grey.astype(np.float32)) * np.float32(sign / contrast)
    # Specks darker than the line's own ink must not outshine it.
    return np.clip(ink, INK_MIN, INK_MAX, out=ink)


def paper_and_ink(grey: Grey) -> tuple[int, int]:
    """Levels, 0 to 255, of the ground of a line and of its text.

    Paper is the median level, since text covers less than half of its line; ink is the far end
    of the histogram (first or last percentile), on whichever side of the paper reaches further.
    """
    dark, paper, light = levels_of(grey, 0.01, 0.5, 0.99)
    return paper, dark if paper - dark >= light - paper else light


def padded_width(width_px: int, bucket_px: int) -> int:
    """The width up to the next multiple of ``bucket_px``."""
    return math.ceil(width_px / bucket_px) * bucket_px


def pad_to_bucket(ink: Ink, bucket_px: int) -> Ink:
    """Pad with paper on the right to a multiple of ``bucket_px``."""
    width = ink.shape[1]
    return np.pad(ink, ((0, 0), (0, padded_width(width, bucket_px) - width)))


def stack(lines: list[Ink], width_px: int | None = None) -> Ink:
    """Batch prepared lines of one height: ``float32``, shape ``(N, 1, H, W)``, padded with paper.

    W is ``width_px``, or without it the largest width among the lines.
    """
    width = max(line.shape[1] for line in lines) if width_px is None else width_px
    batch = np.zeros((len(lines), 1, lines[0].shape[0], width), np.float32)
    for row, line in zip(batch, lines, strict=True):
        row[0, :, : line.shape[1]] = line
    return batch


def rotate90(image: npt.NDArray[np.uint8], quarter_turns: int) -> npt.NDArray[np.uint8]:
    """Turn by multiples of 90 degrees clockwise; contiguous."""
    return np.ascontiguousarray(np.rot90(image, -quarter_turns))


def threshold_adaptive(grey: Grey) -> Grey:
    """Ink black, paper white, against the mean of the neighbourhood (as wide as the line is high)."""
    block = max(grey.shape[0] | 1, 3)
    return np.asarray(
        cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, 12),
        dtype=np.uint8,
    )


def deskew(grey: Grey) -> Grey:
    """Turn a line so that its baseline is level; the ground is continued at the edges."""
    angle = skew_deg(grey)
    if angle == 0:
        return grey
    return np.asarray(_turned(grey, -angle, cv2.BORDER_REPLICATE), dtype=np.uint8)


def skew_deg(grey: Grey) -> float:
    """Angle of the baseline, counter-clockwise, within 5 degrees, in steps of a quarter degree.

    The angle whose correction gives the sharpest row profile (largest variance of ink per row).
    """
    if min(grey.shape) < 8:
        return 0.0
    ink = np.clip(normalise_ink(grey), 0, 1)
    angles = np.arange(-_MAX_DESKEW_DEG, _MAX_DESKEW_DEG + 0.25, 0.25)
    sharpness = [float(np.var(_turned(ink, -angle, cv2.BORDER_CONSTANT).sum(axis=1))) for angle in angles]
    level = sharpness[len(angles) // 2]
    best = int(np.argmax(sharpness))
    # A flat profile says nothing: only a clear gain turns the line.
    return float(angles[best]) if sharpness[best] > 1.05 * level else 0.0


def _turned(image: npt.NDArray[np.generic], angle_deg: float, border: int) -> npt.NDArray[np.generic]:
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    return np.asarray(
        cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    )
