"""A line crop of any size becomes one small picture of fixed size.

Both engines, their training and their evaluation share this code; what a weight expects is an
:class:`InputSpec` in its metadata.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from deployments.engine import Prepared
from deployments.errors import Outcome, UnreadableDocument
from deployments.grey import Grey, grey_of, levels_of
from deployments.types import Image

Box = npt.NDArray[np.uint8]

# Less contrast than this between ink and paper is taken for an empty crop and not stretched further.
MIN_CONTRAST = 24
WHITE = 255


class InputSpec(BaseModel):
    """How a weight wants its input.

    A crop keeps its proportions. One longer than the box is cut into pieces that are stacked in
    up to ``max_rows`` rows, whichever number of rows shows the letters largest. Letters never
    get smaller than a line that fills a row of ``height_px / max_rows``: of a line too long for
    that, the rows show evenly spread windows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height_px: int = Field(gt=0)
    width_px: int = Field(gt=0)
    channels: int = Field(description="1 grey, 3 RGB", ge=1, le=3)
    mean: tuple[float, ...] = Field(description="per channel, of values in [0, 1]")
    std: tuple[float, ...] = Field(description="per channel, of values in [0, 1]")
    contrast: bool = Field(True, description="grey, dark ink on white, stretched to the full range")
    binarize: bool = Field(False, description="threshold by Otsu's method after scaling")
    max_rows: int = Field(1, ge=1)


class UnusableCrop(ValueError):
    """The array is not a line crop: wrong type or shape, or no pixels."""


def fit_line(crop: Image, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Fit a crop into the box of ``spec``.

    Args:
        crop: ``uint8 (h, w, 3)`` RGB, any size from one pixel.

    Returns:
        ``uint8 (height_px, width_px, channels)``, C-contiguous.

    Raises:
        UnusableCrop: see the class.
    """
    check_crop(crop)
    if spec.channels == 1 or spec.contrast:
        return fit_grey(grey_of(crop), spec)
    return _arrange(crop, spec, _paper_colour(crop))


def fit_grey(grey: Grey, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """:func:`fit_line` for a crop that is grey already, ``uint8 (h, w)``."""
    if spec.contrast:
        grey, paper = stretch_contrast(grey), WHITE
    else:
        paper = int(_paper_colour(grey)[0])
    box = _arrange(grey, spec, np.array([paper], np.uint8))
    if spec.binarize:
        box = cv2.threshold(box, 0, WHITE, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1].astype(np.uint8)
    if box.ndim == 2:
        box = box[..., None]
    return np.ascontiguousarray(np.repeat(box, spec.channels, axis=2))


def check_crop(crop: Image) -> None:
    """Raise :class:`UnusableCrop` unless the array is a non-empty RGB image."""
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3:
        raise UnusableCrop("a line crop is a uint8 array of shape (height, width, 3)")
    if crop.size == 0:
        raise UnusableCrop(f"the line crop has no pixels: {crop.shape[1]} x {crop.shape[0]}")


def stretch_contrast(grey: Grey) -> Grey:
    """Ink to black and paper to white, whichever of the two is darker on the page.

    Paper covers most of a line crop, so its tone is the median; ink is the 1st percentile on
    the side that lies further from it.
    """
    low, paper, high = levels_of(grey, 0.01, 0.5, 0.99)
    darker = paper - np.arange(256.0)
    is_light_on_dark = high - paper > MIN_CONTRAST and high - paper > 2 * (paper - low)
    if is_light_on_dark:
        darker, ink = -darker, high - paper
    else:
        ink = paper - low
    table = WHITE - np.clip(darker * (WHITE / max(ink, MIN_CONTRAST)), 0, WHITE)
    return np.asarray(cv2.LUT(grey, table.astype(np.uint8)), dtype=np.uint8)


def rows_for(height_px: int, width_px: int, spec: InputSpec) -> int:
    """Number of rows that shows a crop of this size largest."""

    def scale(rows: int) -> float:
        return min(spec.height_px / (rows * height_px), spec.width_px * rows / width_px)

    return max(range(1, spec.max_rows + 1), key=lambda rows: (scale(rows), -rows))


def _arrange(image: npt.NDArray[np.uint8], spec: InputSpec, paper: npt.NDArray[np.uint8]) -> Grey:
    """Scale, cut and stack ``(h, w[, 3])`` into ``(height_px, width_px[, 3])``."""
    height, width = image.shape[:2]
    rows = rows_for(height, width, spec)
    row_height = spec.height_px // rows
    smallest = spec.height_px // spec.max_rows / height
    scale = min(row_height / height, max(smallest, spec.width_px * rows / width))
    piece = max(1, min(math.ceil(width / rows), round(spec.width_px / scale)))
    size = (min(spec.width_px, max(1, round(piece * scale))), max(1, round(height * scale)))
    box = np.empty((spec.height_px, spec.width_px, *image.shape[2:]), dtype=np.uint8)
    box[:] = paper if image.ndim == 3 else paper[0]
    starts = np.linspace(0, width - piece, rows) if rows > 1 else np.array([(width - piece) / 2])
    for row, start in enumerate(starts.astype(int)):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(image[:, start : start + piece], size, interpolation=method)
        top = row * row_height + (row_height - size[1]) // 2
        box[top : top + size[1], : size[0]] = scaled
    return box


def _paper_colour(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Median of the crop's border, per channel: the frame hardly ever carries ink all along."""
    flat = image.reshape(*image.shape[:2], -1)
    border = np.concatenate([flat[0], flat[-1], flat[:, 0], flat[:, -1]])
    return np.asarray(np.median(border, axis=0), dtype=np.uint8)


def prepare_crops(crops: Sequence[Image], spec: InputSpec) -> list[Outcome[Prepared[Box]]]:
    """:func:`fit_line` over a list: what no engine can use becomes that item's error."""
    return [_prepare(crop, spec) for crop in crops]


def _prepare(crop: Image, spec: InputSpec) -> Outcome[Prepared[Box]]:
    try:
        return Prepared(fit_line(crop, spec), spec.height_px, spec.width_px)
    except UnusableCrop as error:
        return UnreadableDocument(f"A line cannot be classified: {error}")
