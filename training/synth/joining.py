"""Where the pen goes on from letter to letter, and how a quick hand rounds what it writes."""

from __future__ import annotations

import numpy as np

from training.synth.blending import evenly
from training.synth.tracks import Letter, Track

# In x-heights: points this far apart describe a track before it is rounded.
_SPACING = 0.06


class Chain:
    """The tracks of a line in the making; letters that the pen joins are one track."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._open: int | None = None

    def lift(self) -> None:
        """The pen leaves the paper: what comes next stands apart."""
        self._open = None

    def add(self, letter: Letter, joined: bool) -> None:
        """Write ``letter``, from the one before where a pen would go there."""
        body = _last_of_body(letter)
        rest = list(letter)
        joint = _joint(self.tracks[self._open], rest[0]) if joined and self._open is not None else None
        if joint is not None and self._open is not None:
            self.tracks[self._open] = np.concatenate([self.tracks[self._open], joint[1:-1], rest.pop(0)])
            first = self._open
        else:
            first = len(self.tracks)
            self.tracks.append(rest.pop(0))
        self.tracks += rest
        self._open = first if body == 0 else len(self.tracks) - len(letter) + body


def rounded(track: Track, sigma: float) -> Track:
    """``track`` under a Gaussian of ``sigma`` x-heights along its way; its ends stay where they are."""
    length = float(np.hypot(*np.diff(track, axis=0).T).sum())
    count = round(length / _SPACING) + 1
    reach = round(2.5 * sigma / _SPACING)
    if reach < 1 or count <= reach + 1:
        return track
    even = evenly(track, count)
    offsets = np.arange(-reach, reach + 1) * _SPACING
    weights = np.exp(-((offsets / sigma) ** 2) / 2)
    padded = np.pad(even, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = [np.convolve(padded[:, axis], weights / weights.sum(), "valid") for axis in (0, 1)]
    return np.stack(smooth, 1).astype(np.float32)


def _last_of_body(letter: Letter) -> int:
    """Which track the pen goes on from: dots and bars are set when the word is done."""
    low = [index for index, track in enumerate(letter) if track[-1, 1] > -1.1]
    return max(low or range(len(letter)), key=lambda index: float(letter[index][-1, 0]))


def _joint(before: Track, after: Track) -> Track | None:
    """A cubic Hermite curve from the end of one letter to the start of the next, if a pen would go there."""
    start, end = before[-1], after[0]
    reach = float(np.hypot(*(end - start)))
    if end[0] < start[0] - 0.25 or not 0.03 < reach < 1.5:
        return None
    leave, arrive = _direction(before[-4:]), _direction(after[:4])
    t = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * leave * reach
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * arrive * reach
    )
    return np.asarray(curve, np.float32)


def _direction(track: Track) -> Track:
    step = track[-1] - track[0]
    return np.asarray(step / max(float(np.hypot(*step)), 1e-3), np.float32)
