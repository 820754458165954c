"""Choosing the faces, inks and words of one page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.synth.fonts import FontFace
from training.synth.layouts import Ink, Rgb
from training.synth.processes import Process


@dataclass(frozen=True)
class FaceBook:
    """The catalogue sorted by the look of its faces."""

    text: tuple[FontFace, ...]
    mono: tuple[FontFace, ...]
    typewriter: tuple[FontFace, ...]
    receipt: tuple[FontFace, ...]
    display: tuple[FontFace, ...]
    hand: tuple[FontFace, ...]

    @classmethod
    def of(cls, faces: Sequence[FontFace]) -> FaceBook:
        printed = [f for f in faces if f.style == "printed"]
        if not printed:
            raise LookupError("the catalogue holds no printed face")
        text = tuple(f for f in printed if f.look == "")
        mono = tuple(f for f in printed if f.look == "mono") or text
        typewriter = tuple(f for f in printed if f.look == "typewriter") or mono
        receipt = tuple(f for f in printed if f.look == "receipt") + mono
        display = tuple(f for f in printed if f.look == "display") + text
        hand = tuple(f for f in faces if f.style == "handwritten" and not is_sign_hand(f))
        hand = hand or tuple(f for f in faces if f.style == "handwritten")
        return cls(text, mono, typewriter, receipt, display, hand)

    @staticmethod
    def fitting(faces: Sequence[FontFace], language: str) -> list[list[FontFace]]:
        """Families of faces that can set the language: English needs Latin, Russian Cyrillic."""
        need = "cyrillic" if language == "ru" else "latin"
        families: dict[str, list[FontFace]] = {}
        for face in faces:
            if need in face.scripts:
                families.setdefault(family(face), []).append(face)
        return list(families.values())


_WEIGHTS = re.compile(
    r"[-_ ]?(\d00|Regular|Bold|Italic|Oblique|Light|Medium|Roman|Normal|normal|italic|BI|B|I)\b.*$"
)
# Letters of these hands stand apart and upright, as in print.
_SIGN_HANDS = ("balsamiq", "comicneue", "dkg", "becausewe", "playpen", "shantell", "pangolin", "pacifico")


def family(face: FontFace) -> str:
    """The face's name without its weight and slant."""
    return _WEIGHTS.sub("", face.name) or face.name


def is_sign_hand(face: FontFace) -> bool:
    return face.name.lower().startswith(_SIGN_HANDS)


def print_ink(rng: np.random.Generator, coloured: float = 0.1) -> Ink:
    """Press, laser or ribbon: near black, now and then blue or dark red."""
    if rng.random() < coloured:
        colour = _PRINT_COLOURS[int(rng.integers(len(_PRINT_COLOURS)))]
    else:
        level = int(rng.integers(0, 70))
        colour = (level, level, min(255, level + int(rng.integers(0, 15))))
    return Ink(
        colour,
        opacity=float(rng.uniform(0.75, 1.0)),
        spread_px=float(rng.choice([0.0, rng.uniform(0.3, 0.8)])),
        gain=float(rng.uniform(0.9, 1.8)),
        fade=float(rng.choice([0.0, rng.uniform(0, 0.5)], p=[0.7, 0.3])),
        grain=float(rng.choice([0.0, rng.uniform(0, 0.5)], p=[0.6, 0.4])),
    )


_PRINT_COLOURS: tuple[Rgb, ...] = ((25, 35, 120), (110, 25, 30), (20, 80, 50), (60, 60, 130), (130, 60, 120))
_PEN_COLOURS: tuple[Rgb, ...] = (
    (15, 15, 25), (20, 30, 110), (35, 50, 160), (60, 40, 130),
    (50, 40, 35), (85, 60, 40), (25, 60, 70), (120, 25, 35),
)  # fmt: skip


def process_ink(rng: np.random.Generator, ink: Ink, processes: Sequence[Process], size_px: float) -> Ink:
    """The ink as one of these processes would put it on paper."""
    chosen = processes[int(rng.integers(len(processes)))]
    return replace(
        ink, process=chosen, strength=float(rng.uniform(0.05, 0.9)), x_height_px=0.5 * size_px, spread_px=0.0,
        gain=1.0, grain=0.0,
    )  # fmt: skip


def pen_ink(rng: np.random.Generator, pencil: float = 0.1) -> Ink:
    """Ballpoint, fountain pen or pencil."""
    if rng.random() < pencil:
        level = int(rng.integers(50, 110))
        return Ink((level, level, level), float(rng.uniform(0.7, 0.95)), grain=float(rng.uniform(0.2, 0.5)))
    colour = _PEN_COLOURS[int(rng.integers(len(_PEN_COLOURS)))]
    return Ink(
        colour,
        opacity=float(rng.uniform(0.7, 1.0)),
        spread_px=float(rng.uniform(0.0, 0.7)),
        gain=float(rng.uniform(0.8, 2.2)),
        fade=float(rng.uniform(0.0, 0.5)),
        grain=float(rng.choice([0.0, rng.uniform(0, 0.3)])),
    )
