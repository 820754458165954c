"""From CRAFT's two maps to words, and from words to lines.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019: one map is high at the
middle of every character, the other between neighbours of one word. Characters joined by affinity
are one component; its least rectangle is the word. Lines are our own addition.

Maps are ``float32 (H, W)`` in ``[0, 1]``; quads are in pixels of the maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deployments.geometry import quad_bounds, quad_from_box, quad_size
from deployments.types import Points

Map = npt.NDArray[np.float32]

MIN_AREA_PX = 6
MAX_GAP = 1.6
MIN_SHARED_HEIGHT = 0.5
MAX_HEIGHT_RATIO = 2.2


@dataclass(frozen=True, slots=True)
class CraftThresholds:
    """The paper's three: least peak of a word, affinity that joins, least character score."""

    text: float
    link: float
    low_text: float


@dataclass(frozen=True, slots=True)
class Region:
    """A word or a line: its quad in map pixels, and its probability."""

    quad: Points
    score: float


def find_words(characters: Map, affinities: Map, thresholds: CraftThresholds) -> list[Region]:
    """Connected components of characters and the affinity between them, as least rectangles."""
    text = characters >= thresholds.low_text
    link = affinities >= thresholds.link
    count, labels, stats, _ = cv2.connectedComponentsWithStats((text | link).astype(np.uint8), connectivity=4)
    words = []
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        if area < MIN_AREA_PX:
            continue
        window = slice(top, top + height), slice(left, left + width)
        component = labels[window] == label
        peak = float(characters[window][component].max())
        if peak < thresholds.text:
            continue
        ink = component & text[window]
        words.append(Region(_word_quad(ink, area, (left, top)), min(peak, 1.0)))
    return words


def _word_quad(ink: npt.NDArray[np.bool_], area: int, offset: tuple[int, int]) -> Points:
    """Least rectangle around a word's characters, grown by what the map's Gaussians fall short."""
    height, width = ink.shape
    grow = math.ceil(math.sqrt(area * min(width, height) / (width * height)))
    padded = cv2.copyMakeBorder(ink.astype(np.uint8), grow, grow, grow, grow, cv2.BORDER_CONSTANT, value=0)
    thick = cv2.dilate(padded, np.ones((1 + grow, 1 + grow), np.uint8))
    rows, columns = np.nonzero(thick)
    shift = np.array(offset, np.float32) - grow
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    quad = _least_rectangle(points, margin=0.5) + 0.5 + shift
    return np.asarray(quad, dtype=np.float32)


def _least_rectangle(points: npt.NDArray[np.float32], margin: float = 0.0) -> Points:
    """The smallest rectangle around points, read from left to right.

    Blots (about as wide as high) get an upright box: their least rectangle may stand on a corner.
    """
    (x, y), (width, height), angle_deg = cv2.minAreaRect(points)
    longer, shorter = max(width, height), min(width, height)
    if longer < 1.3 * max(shorter, 1.0):
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        return quad_from_box((float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])))
    grown = ((x, y), (width + 2 * margin, height + 2 * margin), angle_deg)
    return _upright_order(np.asarray(cv2.boxPoints(grown), dtype=np.float32))


def _upright_order(corners: Points) -> Points:
    """Corners of a rectangle as a quad of text that reads to the right, turned by up to 45 degrees."""
    edges = np.roll(corners, -1, axis=0) - corners
    directions = edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    if edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0] < 0:
        return _upright_order(corners[::-1])
    return np.ascontiguousarray(np.roll(corners, -int(directions[:, 0].argmax()), axis=0))


def join_lines(words: Sequence[Region]) -> list[Region]:
    """Join words that follow each other at one height into lines; scores are means by width."""
    order = sorted(range(len(words)), key=lambda index: float(words[index].quad[:, 0].min()))
    boxes = np.array([quad_bounds(words[index].quad) for index in order], np.float64).reshape(-1, 4)
    heights = np.array([quad_size(words[index].quad)[1] for index in order])
    owner = list(range(len(order)))
    for later in range(1, len(order)):
        earlier = _predecessor(later, boxes, heights, words, order)
        if earlier is not None:
            owner[later] = owner[earlier]
    groups: dict[int, list[Region]] = {}
    for position, index in enumerate(order):
        groups.setdefault(owner[position], []).append(words[index])
    return [_joined(group) for group in groups.values()]


def _predecessor(
    later: int,
    boxes: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
    words: Sequence[Region],
    order: Sequence[int],
) -> int | None:
    """The nearest word to the left that this one continues."""
    lower, higher = np.minimum(heights[:later], heights[later]), np.maximum(heights[:later], heights[later])
    gaps = boxes[later, 0] - boxes[:later, 0] - boxes[:later, 2]
    starts = words[order[later]].quad[[0, 3]]
    top, bottom = float(starts[0, 1]), float(starts[1, 1])
    ends = np.array([words[order[index]].quad[[1, 2], 1] for index in range(later)])
    shared = np.minimum(ends[:, 1], bottom) - np.maximum(ends[:, 0], top)
    fits = (gaps < MAX_GAP * lower) & (gaps > -1.5 * lower)
    fits &= (shared > MIN_SHARED_HEIGHT * lower) & (higher < MAX_HEIGHT_RATIO * lower)
    if not fits.any():
        return None
    return int(np.where(fits, np.abs(gaps), np.inf).argmin())


def _joined(group: Sequence[Region]) -> Region:
    if len(group) == 1:
        return group[0]
    widths = np.array([quad_size(word.quad)[0] for word in group])
    score = float(np.average([word.score for word in group], weights=widths))
    return Region(_least_rectangle(np.concatenate([word.quad for word in group])), score)
