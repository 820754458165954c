"""Whose letters a line is written with: recorded writers, script faces traced to pen tracks, or neither."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.synth.corpora import Language
from training.synth.face_tracks import face_tracks
from training.synth.fonts import FontFace
from training.synth.handwriting import TrackSet

Rng = np.random.Generator

# Pen tracks teach more of a real hand than script faces do, and those of people more than traced ones.
_RECORDED_SHARE = 0.5
_TRACED_SHARE: dict[Language, float] = {"ru": 0.25, "en": 0.5}


class Pens:
    """Draws writers by language; ``recorded`` are those of Cyrillic letters."""

    def __init__(self, faces: Sequence[FontFace], recorded: TrackSet | None) -> None:
        self._recorded = recorded
        self._traced: dict[Language, TrackSet | None] = {
            "ru": face_tracks(faces, "cyrillic"),
            "en": face_tracks(faces, "latin"),
        }

    def draw(self, rng: Rng, language: Language) -> TrackSet | None:
        """Writers for a line; None: it is set in a script face."""
        roll = rng.random()
        if self._recorded is not None and language == "ru":
            if roll < _RECORDED_SHARE:
                return self._recorded
            roll -= _RECORDED_SHARE
        return self._traced[language] if roll < _TRACED_SHARE[language] else None
