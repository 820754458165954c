"""Letters between two writers' letters, or beyond one of them: hands that nobody recorded."""

from __future__ import annotations

import numpy as np

from training.synth.tracks import Letter, Track

_POINTS = 32
# In x-heights: letters whose tracks lie farther apart on average are written differently.
_FARTHEST = 0.45


def blend(letter: Letter, other: Letter, share: float) -> Letter:
    """``letter`` moved by ``share`` of the way to ``other``; below 0 it moves away from it.

    Tracks go together in the order in which they were written. A letter that the other writer
    makes of another number of tracks, or along other ways, stays as it is.
    """
    if share == 0 or len(letter) != len(other):
        return letter
    ours, theirs = [evenly(track) for track in letter], [evenly(track) for track in other]
    # Writers space their letters themselves: what is blended is their shape.
    shift = np.array([_middle(ours) - _middle(theirs), 0], np.float32)
    theirs = [track + shift for track in theirs]
    apart = np.mean([np.hypot(*(b - a).T).mean() for a, b in zip(ours, theirs, strict=True)])
    if apart > _FARTHEST:
        return letter
    return tuple((a + share * (b - a)).astype(np.float32) for a, b in zip(ours, theirs, strict=True))


def evenly(track: Track, points: int = _POINTS) -> Track:
    """``track`` as so many points, the same length of way between any two of them."""
    steps = np.hypot(*np.diff(track, axis=0).T)
    way = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, way[-1], points)
    return np.stack([np.interp(wanted, way, track[:, axis]) for axis in (0, 1)], 1).astype(np.float32)


def _middle(tracks: list[Track]) -> float:
    columns = np.concatenate(tracks)[:, 0]
    return float((columns.min() + columns.max()) / 2)
