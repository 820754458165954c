"""From CRAFT's two maps to words, and from words to lines.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019: one map is high at the
middle of every character, the other between neighbours of one word, or of one line in the weights that
are shipped. Characters joined by affinity are one component, cut where lines only blur into each other.
Boxes by regression, and lines, are our own additions.

Maps are ``float32 (H, W)`` in ``[0, 1]``; quads are in pixels of the maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from deployments.geometry import quad_bounds, quad_size
from deployments.types import Points

Map = npt.NDArray[np.float32]

MIN_AREA_PX = 6
CORE_GAP_PX = 3
LINE_SHAPE = 2.0
IN_COLUMN = 0.3
MIN_SHARED_HEIGHT = 0.5
MAX_HEIGHT_RATIO = 2.2


@dataclass(frozen=True, slots=True)
class CraftThresholds:
    """The paper's three: least peak of a word, affinity that joins, least character score.

    ``gap`` is the widest between words of a line that no affinity joins, in heights of the lower word;
    ``part_gap`` the widest that affinity bridges, in heights of the line.
    ``growth`` is what a box grows by above and below, in heights: scores fall before a letter's edge.
    """

    text: float
    link: float
    low_text: float
    gap: float
    part_gap: float
    growth: float


@dataclass(frozen=True, slots=True)
class Region:
    """A word or a line: its quad in map pixels, its probability, and its inked pixels ``(N, 2)``, x and y."""

    quad: Points
    score: float
    points: npt.NDArray[np.float32]


def find_words(characters: Map, affinities: Map, thresholds: CraftThresholds) -> list[Region]:
    """Connected characters and the affinity between them, boxed, each about one core.

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
            words.append(Region(_fitted(points[own]), min(peak, 1.0), points[own]))
    return words


def _nearest_core(core: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Number of the core nearest to every pixel, ``(H, W)``, from 1; small gaps along a line end no core."""
    if not core.any():
        return np.zeros(core.shape, np.int32)
    closed = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, CORE_GAP_PX), np.uint8))
    _, labels = cv2.distanceTransformWithLabels(1 - closed, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    return np.asarray(labels, dtype=np.int32)


def _fitted(points: npt.NDArray[np.float32]) -> Points:
    """The box of scattered points ``(N, 2)``, along the line through them, read to the right.

    A regression rather than the least rectangle, which one letter that hangs down turns.
    """
    middle = points.mean(axis=0)
    x, y = (points - middle).T
    is_long = float(np.ptp(x)) > LINE_SHAPE * float(np.ptp(y))
    slope = float(x @ y / (x @ x)) if is_long else 0.0
    along = np.array([1.0, slope]) / math.hypot(1.0, slope)
    down = np.array([-along[1], along[0]])
    u, v = x * along[0] + y * along[1], x * down[0] + y * down[1]
    left, right = float(u.min()) - 0.5, float(u.max()) + 0.5
    top, bottom = float(v.min()) - 0.5, float(v.max()) + 0.5
    ends = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.asarray(middle + 0.5 + ends[:, :1] * along + ends[:, 1:] * down, dtype=np.float32)


def grow_lines(lines: Sequence[Region], growth: float) -> list[Region]:
    """Boxes with what scores fall short of: a share of their height, up to halfway to the lines beside them.

    Characters are taken to be half as wide as high.
    """
    boxes = np.array([quad_bounds(line.quad) for line in lines], np.float64).reshape(-1, 4)
    left, top, width, height = boxes.T
    right, bottom = left + width, top + height
    shared = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    in_column = shared > IN_COLUMN * np.minimum(width[:, None], width)
    is_above = (top + bottom)[:, None] > top + bottom
    room_above = np.where(in_column & is_above, top[:, None] - bottom, np.inf).min(axis=1, initial=np.inf)
    room_below = np.where(in_column & is_above.T, top - bottom[:, None], np.inf).min(axis=1, initial=np.inf)
    return [
        replace(line, quad=_grown(line.quad, growth, max(above, 0.0) / 2, max(below, 0.0) / 2))
        for line, above, below in zip(lines, room_above, room_below, strict=True)
    ]


def _grown(quad: Points, growth: float, above: float, below: float) -> Points:
    """A quad grown by a share of its height, upwards and downwards by no more than there is room."""
    margin = growth * quad_size(quad)[1]
    along = (quad[1] - quad[0]) / max(float(np.linalg.norm(quad[1] - quad[0])), 1e-6)
    down = np.array([-along[1], along[0]])
    up, low = -min(margin, above) * down, min(margin, below) * down
    beside = margin / 2 * along
    return np.asarray(quad + np.stack([up - beside, up + beside, low + beside, low - beside]), np.float32)


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


def part_lines(lines: Sequence[Region], part_gap: float) -> list[Region]:
    """Lines in the pieces between which they have no ink for more than so many of their heights.

    Affinity bridges the spaces of a line, and in tables and receipts the gap before a price as well. Pieces
    keep the line's score.
    """
    return [piece for line in lines for piece in _pieces(line, part_gap * quad_size(line.quad)[1])]


def _pieces(line: Region, widest_px: float) -> list[Region]:
    along = (line.quad[1] - line.quad[0]) / max(float(np.linalg.norm(line.quad[1] - line.quad[0])), 1e-6)
    places = line.points @ along
    order = np.argsort(places, kind="stable")
    # Neighbouring pixels lie one apart: what is more than that is paper.
    ends = np.flatnonzero(np.diff(places[order]) > widest_px + 1) + 1
    if not len(ends):
        return [line]
    groups = [line.points[own] for own in np.split(order, ends)]
    return [Region(_fitted(points), line.score, points) for points in groups if len(points) >= MIN_AREA_PX]


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
    points = np.concatenate([word.points for word in group])
    return Region(_fitted(points), score, points)
