"""How well found lines cover the labelled ones: greedy one-to-one matches by overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from deployments.geometry import boxes_iou, quad_bounds, quad_iou
from deployments.types import Points

MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """Counts that add up over pages; ``overlap`` is the sum of the matches' overlaps."""

    found: int = 0
    labelled: int = 0
    matched: int = 0
    overlap: float = 0.0

    def __add__(self, other: DetectionCounts) -> DetectionCounts:
        return DetectionCounts(
            self.found + other.found,
            self.labelled + other.labelled,
            self.matched + other.matched,
            self.overlap + other.overlap,
        )

    @property
    def precision(self) -> float:
        """Share of the found lines that are labelled; 1 when none was found."""
        return self.matched / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the labelled lines that were found; 1 when there are none."""
        return self.matched / self.labelled if self.labelled else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 on a page without lines, found or labelled."""
        total = self.found + self.labelled
        return 2 * self.matched / total if total else 1.0

    @property
    def mean_iou(self) -> float:
        """Mean overlap of the matched pairs, 0 without any."""
        return self.overlap / self.matched if self.matched else 0.0

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f}  recall {self.recall:.3f}  F1 {self.f1:.3f}  "
            f"mean IoU {self.mean_iou:.3f}"
        )


@dataclass(frozen=True, slots=True)
class Match:
    """Indices of a found line and of the labelled line that it covers."""

    found: int
    labelled: int
    iou: float


@dataclass(frozen=True, slots=True)
class Matching:
    """The matches of one page and its counts."""

    matches: tuple[Match, ...] = field(default=())
    counts: DetectionCounts = field(default_factory=DetectionCounts)


def match_lines(found: Sequence[Points], labelled: Sequence[Points], by_quad: bool = False) -> Matching:
    """Pair found and labelled quads, the largest overlap first, each at most once.

    ``by_quad`` compares the quads themselves; otherwise their upright bounds, for labels that
    are boxes. Pairs below :data:`MATCH_IOU` do not match.
    """
    overlaps = _overlaps(found, labelled, by_quad)
    matches = []
    free_found, free_labelled = np.ones(len(found), bool), np.ones(len(labelled), bool)
    for index in np.argsort(-overlaps, axis=None, kind="stable"):
        one, other = divmod(int(index), len(labelled))
        if overlaps[one, other] < MATCH_IOU:
            break
        if free_found[one] and free_labelled[other]:
            free_found[one] = free_labelled[other] = False
            matches.append(Match(one, other, float(overlaps[one, other])))
    overlap = sum(match.iou for match in matches)
    return Matching(tuple(matches), DetectionCounts(len(found), len(labelled), len(matches), overlap))


def _overlaps(found: Sequence[Points], labelled: Sequence[Points], by_quad: bool) -> npt.NDArray[np.float64]:
    found_boxes = np.array([quad_bounds(quad) for quad in found], np.float32).reshape(-1, 4)
    labelled_boxes = np.array([quad_bounds(quad) for quad in labelled], np.float32).reshape(-1, 4)
    overlaps = boxes_iou(found_boxes, labelled_boxes)
    if by_quad:
        for one, other in np.argwhere(overlaps > 0):
            overlaps[one, other] = quad_iou(found[one], labelled[other])
    return overlaps
