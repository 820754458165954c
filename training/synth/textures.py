"""Cheap page-sized noise: crops of tiles made once a process, so that a page costs no draw a pixel."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
_TILE_PX = 1024


@lru_cache(maxsize=1)
def _gaussian_tile() -> npt.NDArray[np.int16]:
    draw = np.random.default_rng(20240501).normal(0, 32, (_TILE_PX, _TILE_PX))
    return np.clip(np.rint(draw), -127, 127).astype(np.int16)


@lru_cache(maxsize=1)
def _speckle_tile() -> Plane:
    draw = np.random.default_rng(20240502).normal(0, 1, (_TILE_PX, _TILE_PX)).astype(np.float32)
    soft = cv2.GaussianBlur(draw, (0, 0), 0.9)
    return np.asarray(np.clip((soft / soft.std() - 0.2) * 150, 0, 255), np.uint8)


@lru_cache(maxsize=1)
def _fibre_tile() -> Plane:
    draw = np.random.default_rng(20240503).normal(0, 1, (_TILE_PX, _TILE_PX)).astype(np.float32)
    total = np.zeros_like(draw)
    for sigma_px, weight in ((0.7, 1.0), (1.6, 0.7), (4.0, 0.3)):
        layer = cv2.GaussianBlur(draw, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
        total += weight * layer / layer.std()
    return np.clip(128 + 20 * total, 0, 255).astype(np.uint8)


def _crop(
    tile: npt.NDArray[np.generic], rng: np.random.Generator, height: int, width: int
) -> npt.NDArray[np.generic]:
    top, left = int(rng.integers(_TILE_PX)), int(rng.integers(_TILE_PX))
    repeats = (-(-(top + height) // _TILE_PX), -(-(left + width) // _TILE_PX))
    return np.ascontiguousarray(np.tile(tile, repeats)[top : top + height, left : left + width])


def gaussian(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.int16]:
    """Zero-mean noise, standard deviation 32 levels, int16 ``(height, width)``."""
    return _crop(_gaussian_tile(), rng, height, width).astype(np.int16, copy=False)


def speckle(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Fine blots, uint8: 0 over about half of the area, up to 255."""
    return _crop(_speckle_tile(), rng, height, width).astype(np.uint8, copy=False)


def fibre(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Paper texture around 128, uint8."""
    return _crop(_fibre_tile(), rng, height, width).astype(np.uint8, copy=False)


def field(rng: np.random.Generator, height: int, width: int, period_px: float) -> Plane:
    """Slow random variation over 0..255 with about this period, uint8."""
    rows, columns = (max(2, round(side / period_px) + 2) for side in (height, width))
    coarse = rng.integers(0, 256, (rows, columns)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
