"""Lines that stand across the cut between two parts of a page: kept once, and whole.

Each part shows some paper beyond the cut. What a part shows only in part has its middle elsewhere than
the whole line, so that both parts may take it for theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from deployments.geometry import quad_size
from deployments.types import Points, TextLine

# A line lies within a longer one with this share of its length, beside it by this share of the lower height.
WITHIN, SAME_ROW = 0.7, 0.5
# Of the lower height: what two pieces of one line have in common at least.
IN_COMMON = 0.5

Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def mended(parts: Sequence[tuple[Bounds, Sequence[TextLine]]]) -> list[TextLine]:
    """The lines of all parts, each with its bounds, without pieces of lines that another part shows."""
    kept: list[TextLine] = []
    before: list[Bounds] = []
    for bounds, lines in parts:
        new = list(lines)
        for first, second in _touching(_within(kept, [bounds]), _within(new, before)):
            # Either may have gone, or grown, with a pair before.
            if any(line is first for line in kept) and any(line is second for line in new):
                _settle(kept, first, new, second)
        kept += new
        before.append(bounds)
    return kept


def _within(lines: Sequence[TextLine], parts: Sequence[Bounds]) -> list[TextLine]:
    """Those that reach into any of some parts."""
    reach = _overlaps(_bounds(lines), np.array(parts, np.float32).reshape(-1, 4)).any(axis=1)
    return [lines[int(index)] for index in np.flatnonzero(reach)]


def _touching(lines: Sequence[TextLine], others: Sequence[TextLine]) -> Iterator[tuple[TextLine, TextLine]]:
    """Pairs whose bounds overlap."""
    for first, second in np.argwhere(_overlaps(_bounds(lines), _bounds(others))).tolist():
        yield lines[first], others[second]


def _bounds(lines: Sequence[TextLine]) -> npt.NDArray[np.float32]:
    quads = np.array([line.quad for line in lines], np.float32).reshape(-1, 4, 2)
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def _overlaps(bounds: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which of ``(N, 4)`` overlap which of ``(M, 4)``: ``(N, M)``."""
    lines = bounds[:, None]
    is_before_end, is_after_start = lines[..., :2] < others[:, 2:], lines[..., 2:] > others[:, :2]
    return np.asarray((is_before_end & is_after_start).all(axis=2), np.bool_)


def _settle(ours: list[TextLine], first: TextLine, theirs: list[TextLine], second: TextLine) -> None:
    """Keep what ``first`` and ``second`` are once, if they are one line."""
    if quad_size(first.quad)[0] < quad_size(second.quad)[0]:
        ours, first, theirs, second = theirs, second, ours, first
    (start, end), (top, bottom) = _in_frame(first.quad, second.quad)
    length, height = quad_size(first.quad)
    lower = min(height, bottom - top)
    if min(bottom, height) - max(top, 0.0) < SAME_ROW * lower:
        return
    shared = min(end, length) - max(start, 0.0)
    if shared >= WITHIN * (end - start):
        _drop(theirs, second)
    elif shared >= IN_COMMON * lower:
        _drop(theirs, second)
        _drop(ours, first)
        ours.append(replace(first, quad=_lengthened(first.quad, start, end)))


def _drop(lines: list[TextLine], gone: TextLine) -> None:
    lines[:] = [line for line in lines if line is not gone]


def _in_frame(frame: Points, quad: Points) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where ``quad`` begins and ends along and across ``frame``, from its first corner on."""
    spans = []
    for axis in (frame[1] - frame[0], frame[3] - frame[0]):
        unit = axis / max(float(np.hypot(*axis)), 1e-6)
        places = (quad - frame[0]) @ unit
        spans.append((float(places.min()), float(places.max())))
    return spans[0], spans[1]


def _lengthened(quad: Points, start: float, end: float) -> Points:
    """The quad from ``start`` to ``end`` along itself where these lie beyond its ends."""
    length = quad_size(quad)[0]
    unit = (quad[1] - quad[0]) / max(float(np.hypot(*(quad[1] - quad[0]))), 1e-6)
    before, after = min(0.0, start) * unit, max(0.0, end - length) * unit
    return np.asarray(quad + np.stack([before, after, after, before]), np.float32)
