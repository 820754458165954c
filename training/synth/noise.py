"""Random fields that the looks share. Every function takes its generator: same seed, same field."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell_px: float) -> Field:
    """Gaussian noise of unit variance at the nodes of a grid of ``cell_px``, cubic between, ``(H, W)``."""
    rows, columns = max(2, round(height / cell_px) + 2), max(2, round(width / cell_px) + 2)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def elastic(
    image: npt.NDArray[np.uint8],
    rng: np.random.Generator,
    cell_px: float,
    bend_px: float,
    wave_px: float,
    border: int = cv2.BORDER_CONSTANT,
) -> npt.NDArray[np.uint8]:
    """Bend a line: displacements that vary over ``cell_px``, and a slow wave of the baseline.

    Simard, Steinkraus and Platt (2003) with a coarse grid in place of the Gaussian filter.
    """
    height, width = image.shape
    shift_x = smooth_noise(rng, height, width, cell_px) * bend_px
    shift_y = smooth_noise(rng, height, width, cell_px) * bend_px
    shift_y += smooth_noise(rng, 2, width, cell_px * 9)[:1] * wave_px
    shift_x += np.arange(width, dtype=np.float32)[None, :]
    shift_y += np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(image, shift_x, shift_y, cv2.INTER_LINEAR, borderMode=border), np.uint8)


def padded(image: npt.NDArray[np.uint8], margin_px: int) -> npt.NDArray[np.uint8]:
    return np.pad(image, margin_px)
