"""Truth for CRAFT: a Gaussian in every character's box, and one between neighbours of a line.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019, section 3.2. There affinity
ends with the word; here it bridges the spaces too, because lines are what is read: what belongs to one
answer of a form, and what begins the next, is seen by the network rather than told by distances.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deployments.geometry import Affine, transform_points
from training.detection_data import DataError

Map = npt.NDArray[np.float32]
Quads = npt.NDArray[np.float32]

# Standard deviation of a character's Gaussian, as a share of its box's side.
SPREAD = 0.25
MIN_SIGMA_PX = 0.5
# Characters over which the height of one is taken.
NEIGHBOURS = 9
# The affinity box joins the centroids of the upper and lower triangles of two neighbours.
AFFINITY_HEIGHT = 2 / 3
# Over a space it is wide enough not to fall off before it reaches them.
SPACE_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class CharacterLine:
    """Characters of a line in order, spaces left out: quads ``(N, 4, 2)``.

    ``confidence``, 0 to 1, is how far they are believed: 1 where they were drawn.
    """

    quads: Quads
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class CharacterPage:
    """An image on disk and the characters of its lines."""

    image: Path
    lines: tuple[CharacterLine, ...]


def read_characters(folder: Path) -> Iterator[CharacterPage]:
    """Pages of a set that was written with its characters: synthetic, or by ``training.detection_weak``."""
    path = folder / "chars.jsonl"
    if not path.is_file():
        raise DataError(f"{path}: no such file; write the pages with their characters")
    with path.open(encoding="utf-8") as file:
        for number, row in enumerate(file, start=1):
            try:
                page = json.loads(row)
                lines = tuple(_line(line) for line in page["lines"] if line["quads"])
                yield CharacterPage(folder / page["image"], lines)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}:{number}: not a page of characters: {error!r}") from error


def draw_heatmaps(
    lines: tuple[CharacterLine, ...], to_map: Affine, size_px: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Maps ``float32 (3, h, w)``: characters, affinities, confidence; ``size_px`` is (width, height).

    ``to_map`` takes page pixels to map pixels; lines are taken to be upright there. Confidence is that
    of the line whose box a pixel is in, and 1 outside of lines.
    """
    width, height = size_px
    maps = np.zeros((3, height, width), np.float32)
    maps[2] = 1.0
    for line in lines:
        low, high = _bounds(transform_points(line.quads, to_map))
        if line.confidence < 1:
            left, top, right, bottom = np.rint([*low.min(axis=0), *high.max(axis=0)]).astype(int)
            maps[2, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = line.confidence
        for middle, side in zip((low + high) / 2, high - low, strict=True):
            _add_gaussian(maps[0], middle, SPREAD * side)
        for left, right in pairwise(range(len(low))):
            _add_affinity(maps[1], low[[left, right]], high[[left, right]])
    return maps


def _line(line: dict[str, Any]) -> CharacterLine:
    quads = np.array(line["quads"], np.float32).reshape(-1, 4, 2)
    return CharacterLine(quads, float(line.get("confidence", 1.0)))


def as_row(line: CharacterLine) -> dict[str, Any]:
    """A line as :func:`read_characters` reads it."""
    quads = np.round(line.quads.reshape(-1, 8).astype(np.float64), 1)
    return {"quads": quads.tolist(), "confidence": round(line.confidence, 3)}


def _bounds(quads: Quads) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Left upper and right lower corners ``(N, 2)``, each character as high as those around it.

    With heights of their own a row of low letters or a dash would draw the edge of the line inwards,
    while the next pulls it out again.
    """
    low, high = quads.min(axis=1), quads.max(axis=1)
    low[:, 1] = cv2.erode(low[:, 1:], np.ones((NEIGHBOURS, 1), np.uint8))[:, 0]
    high[:, 1] = cv2.dilate(high[:, 1:], np.ones((NEIGHBOURS, 1), np.uint8))[:, 0]
    return low, high


def _add_affinity(target: Map, low: npt.NDArray[np.float32], high: npt.NDArray[np.float32]) -> None:
    """Join two neighbours of a line, left and right, given by their corners ``(2, 2)``."""
    left, right = (low + high) / 2
    across = max(SPREAD * abs(right[0] - left[0]), SPACE_SPREAD * (low[1, 0] - high[0, 0]))
    down = SPREAD * AFFINITY_HEIGHT * float((high - low)[:, 1].mean())
    _add_gaussian(target, (left + right) / 2, np.array([across, down]))


def _add_gaussian(target: Map, middle: npt.NDArray[np.float32], sigma: npt.NDArray[np.floating]) -> None:
    """Raise a map to an upright Gaussian of these deviations, x and y."""
    height, width = target.shape
    sigma = np.maximum(sigma, MIN_SIGMA_PX)
    reach = 3 * sigma
    left, top = np.maximum(np.floor(middle - reach), 0).astype(int)
    right, bottom = np.minimum(np.ceil(middle + reach), (width, height)).astype(int)
    if left >= right or top >= bottom:
        return
    across = np.exp(-np.square((np.arange(left, right) + 0.5 - middle[0]) / sigma[0]) / 2)
    down = np.exp(-np.square((np.arange(top, bottom) + 0.5 - middle[1]) / sigma[1]) / 2)
    window = target[top:bottom, left:right]
    np.maximum(window, np.outer(down, across), out=window, casting="same_kind")
