"""Script faces as writers: their letters as pen tracks, to be varied, joined and drawn like recorded ones.

Most script faces are hands that somebody digitised. Set as they are, every letter is the same every time;
as tracks they take another pen, another slant and other joints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from training.synth.alphabet import CYRILLIC, LATIN
from training.synth.face_choice import Script, families
from training.synth.fonts import FontFace
from training.synth.ink import glyph
from training.synth.skeleton import thin, trace
from training.synth.tracks import Letter, Track, TrackSet

_FIGURES = frozenset("0123456789")
_ALPHABETS: dict[Script, frozenset[str]] = {"latin": LATIN | _FIGURES, "cyrillic": CYRILLIC | _FIGURES}
_SIZE_PX = 100
_FLAT = "acemnorsuvxz"
_INKED = 110
# Of the thickness of a stroke: branches so short come of thinning.
_SPUR = 1.1
# Shares of the x-height.
_SMOOTHED, _SIMPLIFIED = 0.05, 0.012


class FaceLetters(Mapping[str, Sequence[Letter]]):
    """The letters of a face; each is traced when it is first asked for."""

    def __init__(self, path: Path, characters: frozenset[str]) -> None:
        self._path = path
        self._characters = characters

    def __getitem__(self, character: str) -> Sequence[Letter]:
        if character not in self._characters:
            raise KeyError(character)
        return (traced(self._path, character),)

    def __iter__(self) -> Iterator[str]:
        return iter(self._characters)

    def __len__(self) -> int:
        return len(self._characters)


def face_tracks(faces: Sequence[FontFace], script: Script) -> TrackSet | None:
    """A writer for each family of script faces with a face of the whole alphabet and the figures, if any."""
    alphabet = _ALPHABETS[script]
    whole = [
        [face for face in family if alphabet <= face.characters]
        for family in families(faces, "handwritten", script)
    ]
    letters = {n: FaceLetters(some[0].path, alphabet) for n, some in enumerate(whole) if some}
    return TrackSet(letters) if letters else None


@lru_cache(maxsize=20_000)
def traced(path: Path, character: str) -> Letter:
    """Tracks of one letter of a face, x-height 1, baseline at y = 0, y down."""
    x_height_px = float(np.median([glyph(path, _SIZE_PX, flat).mask.shape[0] for flat in _FLAT]))
    shape = glyph(path, _SIZE_PX, character)
    lit = np.pad(shape.mask > _INKED, 1)
    thick_px = 2 * float(np.percentile(cv2.distanceTransform(lit.astype(np.uint8), cv2.DIST_L2, 5)[lit], 80))
    tracks = trace(thin(lit), _SPUR * thick_px)
    corner = np.array([1, 1 - shape.top], np.float32)
    return tuple(_eased((track - corner) / x_height_px, x_height_px) for track in tracks)


def _eased(track: Track, x_height_px: float) -> Track:
    """Without the steps of its pixels, and of few points."""
    if len(track) < 3:
        return np.asarray(np.concatenate([track, track[-1:] + np.float32(0.03)]), np.float32)
    reach = max(1, round(_SMOOTHED * x_height_px))
    width = 2 * min(reach, (len(track) - 1) // 2) + 1
    padded = np.pad(track, ((width // 2, width // 2), (0, 0)), mode="reflect", reflect_type="odd")
    weights = np.full(width, 1 / width)
    smooth = np.stack([np.convolve(padded[:, axis], weights, "valid") for axis in (0, 1)], 1)
    return np.asarray(
        cv2.approxPolyDP(smooth.astype(np.float32)[:, None], _SIMPLIFIED, False)[:, 0], np.float32
    )
