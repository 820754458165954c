"""The font catalogue: which faces lines and pages are set in.

``fonts.json`` pins every source package with its licence; :mod:`training.synth.font_fetch`
downloads them and writes ``index.json``, one row a usable face, which this module reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

Style = Literal["printed", "handwritten"]
Split = Literal["train", "test"]
INDEX_NAME = "index.json"
MANIFEST = Path(__file__).with_name("fonts.json")
DEFAULT_DIRECTORY = Path(".cache/fonts")


@dataclass(frozen=True, slots=True)
class FontFace:
    """One font file that Pillow can open.

    ``scripts`` holds ``"latin"`` and/or ``"cyrillic"``: the alphabets drawn in full, both cases.
    ``look`` is a hint for the choice of a page's style: ``""`` (text face), ``"mono"``,
    ``"typewriter"``, ``"receipt"`` or ``"display"``. ``characters`` are those of the project's
    charset that the face draws with ink of their own (no tofu), and the space. Faces of the split
    ``"test"`` are kept from training: lines set in them measure reading of unseen type.
    """

    path: Path
    name: str
    style: Style
    scripts: frozenset[str]
    licence: str
    characters: frozenset[str]
    look: str = ""
    split: Split = "train"

    def covers(self, text: str) -> bool:
        return self.characters.issuperset(text)


@lru_cache(maxsize=4)
def _read_index(index: Path) -> tuple[FontFace, ...]:
    rows = json.loads(index.read_text(encoding="utf-8"))
    return tuple(
        FontFace(
            path=index.parent / row["file"],
            name=row["name"],
            style=row["style"],
            scripts=frozenset(row["scripts"]),
            licence=row["licence"],
            characters=frozenset(row["characters"]),
            look=row["look"],
            split=row["split"],
        )
        for row in rows
    )


def catalogue(directory: Path = DEFAULT_DIRECTORY, split: Split = "train") -> list[FontFace]:
    """The faces of one split under ``directory``, in a stable order.

    Raises ``FileNotFoundError`` with the command to run when nothing was fetched yet.
    """
    index = directory.resolve() / INDEX_NAME
    if not index.is_file():
        raise FileNotFoundError(f"{index} is missing: run `python -m training.synth fonts`")
    return [face for face in _read_index(index) if face.split == split]
