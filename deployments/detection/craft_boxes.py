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

from deployments.geometry import quad_from_box, quad_size
from deployments.types import Points

Map = npt.NDArray[np.float32]

MIN_AREA_PX = 6
CORE_GAP_PX = 3
MIN_SHARED_HEIGHT = 0.5
MAX_HEIGHT_RATIO = 2.2


@dataclass(frozen=True, slots=True)
class CraftThresholds:
    """The paper's three: least peak of a word, affinity that joins, least character score.

    ``gap`` is the widest between words of a line that no affinity joins, in heights of the lower word.
    """

    text: float
    link: float
    low_text: float
    gap: float


@dataclass(frozen=True, slots=True)
class Region:
    """A word or a line: its quad in map pixels, and its probability."""

    quad: Points
    score: float


def find_words(characters: Map, affinities: Map, thresholds: CraftThresholds) -> list[Region]:
    """Connected characters and the affinity between them, as least rectangles, each about one core.

    A core is where the score reaches ``text`` or the affinity ``link``. What hangs together at
    ``low_text`` over several cores, as close lines do, is shared out: a pixel goes with the core
    nearest to it.
    """
    inked, linked = characters >= thresholds.low_text, affinities >= thresholds.link
    core = (characters >= thresholds.text) | linked
    count, components = cv2.connectedComponents((inked | linked).astype(np.uint8), connectivity=4)
    with_core = np.zeros(count, bool)
    with_core[components[core]] = True
    rows, columns = np.nonzero(inked & with_core[components])
    owners = _nearest_core(core)[rows, columns]
    order = np.argsort(owners, kind="stable")
    scores = characters[rows, columns]
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    words = []
    for own in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
        peak = float(scores[own].max(initial=0.0))
        if len(own) >= MIN_AREA_PX and peak >= thresholds.text:
            quad = _least_rectangle(points[own], margin=0.5) + np.float32(0.5)
            words.append(Region(_grown(quad, thresholds.low_text), min(peak, 1.0)))
    return words


def _nearest_core(core: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Number of the core nearest to every pixel, ``(H, W)``, from 1; small gaps along a line end no core."""
    if not core.any():
        return np.zeros(core.shape, np.int32)
    closed = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, CORE_GAP_PX), np.uint8))
    _, labels = cv2.distanceTransformWithLabels(1 - closed, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    return np.asarray(labels, dtype=np.int32)


def _grown(quad: Points, low_text: float) -> Points:
    """A Gaussian ends two deviations from its middle; at ``low_text`` it is cut earlier.

    Characters are taken to be half as wide as high.
    """
    _, height = quad_size(quad)
    beyond = height * (2 / math.sqrt(2 * math.log(1 / low_text)) - 1) / 2
    along = (quad[1] - quad[0]) / max(float(np.linalg.norm(quad[1] - quad[0])), 1e-6)
    down = (quad[3] - quad[0]) / max(float(np.linalg.norm(quad[3] - quad[0])), 1e-6)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    grown = quad + beyond * (signs[:, :1] * along * 0.5 + signs[:, 1:] * down)
    return np.asarray(grown, dtype=np.float32)


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


def join_lines(words: Sequence[Region], gap: float) -> list[Region]:
    """Join words that follow each other at one height into lines; scores are means by width."""
    ordered = sorted(words, key=lambda word: float(word.quad[:, 0].min()))
    quads = np.array([word.quad for word in ordered], np.float64).reshape(-1, 4, 2)
    heights = np.array([quad_size(word.quad)[1] for word in ordered])
    owner = list(range(len(ordered)))
    for later in range(1, len(ordered)):
        earlier = _predecessor(quads[: later + 1], heights[: later + 1], gap)
        if earlier is not None:
            owner[later] = owner[earlier]
    groups: dict[int, list[Region]] = {}
    for index, word in zip(owner, ordered, strict=True):
        groups.setdefault(index, []).append(word)
    return [_joined(group) for group in groups.values()]


def _predecessor(quads: npt.NDArray[np.float64], heights: npt.NDArray[np.float64], gap: float) -> int | None:
    """The nearest word to the left that the last one continues."""
    lower, higher = np.minimum(heights[:-1], heights[-1]), np.maximum(heights[:-1], heights[-1])
    gaps = quads[-1, :, 0].min() - quads[:-1, :, 0].max(axis=1)
    top, bottom = quads[-1, [0, 3], 1]
    ends = quads[:-1, [1, 2], 1]
    shared = np.minimum(ends[:, 1], bottom) - np.maximum(ends[:, 0], top)
    fits = (gaps < gap * lower) & (gaps > -1.5 * lower)
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
