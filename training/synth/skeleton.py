"""From the shape of a letter to the tracks a pen would draw it with: thinning, then tracing.

Thinning is that of Zhang and Suen, "A fast parallel algorithm for thinning digital patterns" (1984).
Where tracks cross, a pen goes straight on: ends that face each other at a crossing are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

Shape = npt.NDArray[np.bool_]
Track = npt.NDArray[np.float32]
Pixel = tuple[int, int]
Path = list[Pixel]

# Clockwise from above, as (row, column).
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
# Pixels from the end of a track over which its direction is taken, at least.
_REACH = 8
# Cosine of the angle up to which a pen goes straight on: 50 degrees.
_STRAIGHT = 0.64


def thin(shape: Shape) -> Shape:
    """The skeleton of ``shape`` ``(H, W)``: one pixel wide, connected as the shape is."""
    lit = np.pad(shape, 1)
    while True:
        before = int(lit.sum())
        for step in (0, 1):
            lit = lit & ~_removable(lit, step)
        if int(lit.sum()) == before:
            return lit[1:-1, 1:-1]


def _removable(lit: Shape, step: int) -> Shape:
    north, north_east, east, south_east, south, south_west, west, north_west = (
        np.roll(lit, (-row, -column), axis=(0, 1)) for row, column in _AROUND
    )
    ring = np.stack([north, north_east, east, south_east, south, south_west, west, north_west])
    count = ring.sum(axis=0)
    rises = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
    if step == 0:
        edge = ~(north & east & south) & ~(east & south & west)
    else:
        edge = ~(north & east & west) & ~(north & south & west)
    return np.asarray(lit & (count >= 2) & (count <= 6) & (rises == 1) & edge)


def trace(skeleton: Shape, spur_px: float) -> list[Track]:
    """Tracks ``(N, 2)`` as x, y in pixels through ``skeleton``, from left to right and from above.

    Side branches shorter than ``spur_px``, which thinning leaves at the corners of a shape, are dropped,
    and crossings less far apart than that, which it makes of one, are one.
    """
    paths = list(_paths({(int(row), int(column)) for row, column in np.argwhere(skeleton)}))
    kept = [path for path in paths if not _is_spur(path, paths, spur_px)]
    tracks = [np.array([(x, y) for y, x in path], np.float32) for path in _joined(kept, spur_px)]
    return sorted((_begun_left(track) for track in tracks), key=lambda track: float(track[:, 0].min()))


def _neighbours(pixel: Pixel, lit: set[Pixel]) -> list[Pixel]:
    """Those beside it, and those across a corner that no pixel beside it leads to."""
    y, x = pixel
    straight = {(y + dy, x + dx) for dy, dx in _AROUND[::2]} & lit
    across = {(y + dy, x + dx) for dy, dx in _AROUND[1::2]} & lit
    return sorted(straight) + sorted(
        (row, column) for row, column in across if not {(row, x), (y, column)} & straight
    )


def _paths(lit: set[Pixel]) -> Iterator[Path]:
    """Runs of pixels from node to node, nodes included; then closed ones, which have no node."""
    near = {pixel: _neighbours(pixel, lit) for pixel in lit}
    nodes = sorted(pixel for pixel in lit if len(near[pixel]) != 2)
    walked: set[tuple[Pixel, Pixel]] = set()
    seen: set[Pixel] = set(nodes)
    for node in nodes:
        if not near[node]:
            yield [node]
        for first in near[node]:
            if (node, first) in walked:
                continue
            path = _walk(node, first, near)
            walked.update({(path[0], path[1]), (path[-1], path[-2])})
            seen.update(path)
            yield path
    for pixel in sorted(lit):
        if pixel not in seen:
            path = _walk(pixel, near[pixel][0], near)
            seen.update(path)
            yield path


def _walk(start: Pixel, first: Pixel, near: dict[Pixel, list[Pixel]]) -> Path:
    path = [start, first]
    while path[-1] != start and len(near[path[-1]]) == 2:
        one, other = near[path[-1]]
        path.append(other if one == path[-2] else one)
    return path


def _is_spur(path: Path, paths: list[Path], spur_px: float) -> bool:
    """Short, loose at one end and fast at the other."""
    if len(path) >= spur_px or path[0] == path[-1]:
        return False
    met = [sum(end in (other[0], other[-1]) for other in paths) for end in (path[0], path[-1])]
    return min(met) == 1 and max(met) > 1


def _joined(paths: list[Path], bridge_px: float) -> list[Path]:
    """Paths that go straight on through a crossing made one, the straightest first."""
    crossings = _crossings(paths, bridge_px)
    paths = [path for path in paths if not _is_bridge(path, crossings, bridge_px)]
    reach = max(_REACH, round(2 * bridge_px))
    while True:
        best, joint = _STRAIGHT, None
        for i, j in combinations(range(len(paths)), 2):
            for one, other in product((paths[i], paths[i][::-1]), (paths[j], paths[j][::-1])):
                if crossings.get(one[-1], one[-1]) == crossings.get(other[0], other[0]):
                    straight = _straightness(one, other, reach)
                    if straight > best:
                        best, joint = straight, (i, j, one + other)
        if joint is None:
            return paths
        i, j, path = joint
        paths = [*(each for number, each in enumerate(paths) if number not in (i, j)), path]


def _crossings(paths: list[Path], bridge_px: float) -> dict[Pixel, Pixel]:
    """For each end of a short path between others, the first of the ends that make one crossing with it."""
    first: dict[Pixel, Pixel] = {}
    ends = Counter(end for path in paths for end in (path[0], path[-1]))
    for path in paths:
        one, other = path[0], path[-1]
        if len(path) < bridge_px and one != other and min(ends[one], ends[other]) > 1:
            kept, gone = first.get(one, one), first.get(other, other)
            first |= {one: kept, other: kept}
            first = {end: kept if known == gone else known for end, known in first.items()}
    return first


def _is_bridge(path: Path, crossings: dict[Pixel, Pixel], bridge_px: float) -> bool:
    if len(path) >= bridge_px or path[0] == path[-1]:
        return False
    return path[0] in crossings and crossings[path[0]] == crossings.get(path[-1])


def _straightness(before: Path, after: Path, reach: int) -> float:
    """Cosine of the turn from one path into the next."""
    into = np.subtract(before[-1], before[max(-len(before), -reach)]).astype(float)
    out = np.subtract(after[min(len(after), reach) - 1], after[0]).astype(float)
    return float(into @ out / max(np.hypot(*into) * np.hypot(*out), 1e-6))


def _begun_left(track: Track) -> Track:
    """From its left end, or from above where it goes down rather than right."""
    x, y = track[-1] - track[0]
    backwards = y < 0 if abs(y) > 2 * abs(x) else x < 0
    return track[::-1] if backwards else track
