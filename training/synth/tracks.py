"""Recorded pen tracks of single letters.

They come from a folder with ``strokes.jsonl`` (writer, session, char, strokes as [x, y] lists, y
down) and are kept scaled to an x-height of 1 with the baseline at y = 0.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.synth.signs import SIGNS

Track = npt.NDArray[np.float32]
Letter = tuple[Track, ...]

_X_HEIGHT_LETTERS = "аеоисмнкпгтхчьыэю"
_HANGING = frozenset("урдзщц")
_HANGING_CAPITALS = frozenset("ЩЦД")


@dataclass(frozen=True)
class TrackSet:
    """Letters by writer and character, several variants each."""

    letters: Mapping[int, Mapping[str, Sequence[Letter]]]
    source: Path = field(compare=False, default=Path())

    @property
    def writers(self) -> list[int]:
        return sorted(self.letters)

    @property
    def characters(self) -> frozenset[str]:
        """What every writer can write, with the signs drawn by rule and the space."""
        return frozenset.intersection(*(frozenset(known) for known in self.letters.values())) | {" ", *SIGNS}


@lru_cache(maxsize=2)
def load_tracks(folder: Path) -> TrackSet:
    """Read ``folder/strokes.jsonl`` and put every letter on its baseline.

    Raises ``FileNotFoundError`` when the folder has no tracks.
    """
    sessions: dict[tuple[int, int], dict[str, list[Track]]] = defaultdict(dict)
    with (folder / "strokes.jsonl").open(encoding="utf-8") as rows:
        for line in rows:
            row = json.loads(line)
            strokes = [np.array(stroke, np.float32) for stroke in row["strokes"] if len(stroke) > 1]
            if strokes:
                sessions[row["writer"], row["session"]][row["char"]] = strokes
    letters: dict[int, dict[str, list[Letter]]] = defaultdict(lambda: defaultdict(list))
    for (writer, _), drawn in sessions.items():
        sizes = [np.ptp(np.concatenate(drawn[c])[:, 1]) for c in _X_HEIGHT_LETTERS if c in drawn]
        capital = float(
            np.median([np.ptp(np.concatenate(drawn[c])[:, 1]) for c in "АВКМНОПРС" if c in drawn])
        )
        x_height = float(np.median(sizes))
        for character, strokes in drawn.items():
            letters[writer][character].append(_on_baseline(character, strokes, x_height, capital))
    return TrackSet({writer: dict(known) for writer, known in letters.items()}, folder)


def _on_baseline(character: str, strokes: Sequence[Track], x_height: float, capital: float) -> Letter:
    """Scale to x-height 1 and put the letter where it belongs: tablets kept no common baseline."""
    points = np.concatenate(strokes)
    top, bottom = points[:, 1].min(), points[:, 1].max()
    shift = -bottom
    if character in _HANGING:
        shift = -x_height - top
    elif character in _HANGING_CAPITALS:
        shift = -min(capital, bottom - top) - top
    elif character == "ф":
        shift = -(top + bottom) / 2 - x_height / 2
    offset = np.array([-points[:, 0].min(), shift], np.float32)
    return tuple(((stroke + offset) / x_height).astype(np.float32) for stroke in strokes)
