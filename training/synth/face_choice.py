"""Which face a line is set in: one family as likely as another, with faces that fit the process."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from training.synth.fonts import FontFace, Style
from training.synth.hands import block_faces, cursive_faces
from training.synth.processes import Process

Rng = np.random.Generator
Script = Literal["latin", "cyrillic"]

_TYPEWRITER = re.compile(
    r"NimbusMono|Courier|courier|cmuntt|cmunvt|cmunst|FreeMono|GNUTypewriter|elite|cutive|xanh|monou|Compagnon|"
    r"LiberationMono|GWMono|pt-mono|PTMono|PTM|Cousine"
)
_JOINED = re.compile(
    r"homemade-apple|cedarville|la-belle-aurore|dawning|meddon|haviland|muellerhoff|doulaise|delafield|alex-brush|"
    r"allura|sacramento|parisienne|dancing-script|great-vibes|zeyada|nothing-you|Kristi|comforter|marck|bad-script"
)
_JOINED_SHARE, _CURSIVE_SHARE, _BLOCK_SHARE = 0.35, 0.14, 0.08
_NARROW_HEAD_SHARE = 0.6


def script_of(text: str) -> Script:
    return "cyrillic" if re.search("[А-Яа-яЁё]", text) else "latin"


class FaceChoice:
    """Draws faces by family, so that a family of many weights is not drawn more often.

    Raises ``ValueError`` when the faces lack print or handwriting of either alphabet.
    """

    def __init__(self, faces: Sequence[FontFace]) -> None:
        styles: tuple[Style, ...] = ("printed", "handwritten")
        scripts: tuple[Script, ...] = ("latin", "cyrillic")
        self._families = {
            (style, script): families(faces, style, script) for style in styles for script in scripts
        }
        if missing := [" ".join(key) for key, families in self._families.items() if not families]:
            raise ValueError(f"no faces for {', '.join(missing)}")
        self._cursive, self._block = cursive_faces(faces), block_faces(faces)

    def printed(self, rng: Rng, script: Script, process: Process) -> FontFace:
        families = self._families["printed", script]
        if process in ("typewriter", "carbon"):
            families = _only(families, lambda face: bool(_TYPEWRITER.search(face.name)))
        elif process in ("dots", "bitmap", "thermal") and rng.random() < _NARROW_HEAD_SHARE:
            families = _only(families, lambda face: face.look in ("receipt", "mono"))
        return _pick(rng, families)

    def hand(self, rng: Rng, script: Script) -> FontFace:
        """A script face, joined ones for preference, or an italic or thin plain face to be bent."""
        roll = rng.random()
        families = self._families["handwritten", script]
        pool: list[FontFace] = []
        if roll < _CURSIVE_SHARE + _BLOCK_SHARE:
            pool = [
                f for f in (self._cursive if roll < _CURSIVE_SHARE else self._block) if script in f.scripts
            ]
        elif roll > 1 - _JOINED_SHARE:
            families = _only(families, lambda face: bool(_JOINED.search(face.name)))
        return _pick(rng, [pool] if pool else families)


def families(faces: Sequence[FontFace], style: Style, script: Script) -> list[list[FontFace]]:
    """Faces of a style and alphabet, those of one family together."""
    found: dict[str, list[FontFace]] = defaultdict(list)
    for face in faces:
        if face.style == style and script in face.scripts:
            found[re.sub(r"[-_.]?\d{3}.*|[-_].*|\d\d[A-Z]$", "", face.name)].append(face)
    return list(found.values())


def _only(families: list[list[FontFace]], fits: Callable[[FontFace], bool]) -> list[list[FontFace]]:
    """Families cut down to fitting faces; all of them when no face fits."""
    kept = [fitting for family in families if (fitting := [face for face in family if fits(face)])]
    return kept or families


def _pick(rng: Rng, families: list[list[FontFace]]) -> FontFace:
    family = families[int(rng.integers(len(families)))]
    return family[int(rng.integers(len(family)))]
