"""Which hand writes a line, and how it differs from every other line by the same hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.synth.fonts import FontFace
from training.synth.handwriting import PenStyle, TrackSet

Rng = np.random.Generator

# Slanted text faces whose Cyrillic italics follow the cursive alphabet, and plain faces close to block hand.
_CURSIVE = re.compile(
    r"(?i)(cormorant|alegreya|literata|lora|spectral|vollkorn|merriweather|playfair|pt-serif|source-serif|Old_?Standard|"
    r"LinLibertine_RI|GentiumPlus|CharisSIL|cmunti|chorus|ibm-plex-serif|bitter).*(Italic|RI\b|ti\b|chorus)|cmunti|PTF56F"
)
_BLOCK = re.compile(
    r"routed-gothic|osifont|OSP-DIN|Jura-(Light|Regular)|(opensans|OpenSans|Roboto|montserrat|nunito-sans|manrope|exo-2).*"
    r"(Light|300)|URWGothic-Book|Carlito-Regular|ComicNeue|comic"
)


def cursive_faces(faces: Sequence[FontFace]) -> list[FontFace]:
    """Italics that pass for a neat hand once they are bent."""
    return [face for face in faces if face.style == "printed" and _CURSIVE.search(face.name)]


def block_faces(faces: Sequence[FontFace]) -> list[FontFace]:
    """Thin plain faces that pass for block letters on a form."""
    return [face for face in faces if face.style == "printed" and _BLOCK.search(face.name)]


def sample_pen(rng: Rng, tracks: TrackSet) -> PenStyle:
    """A hand after one of the recorded writers, far from it in slant, width, spacing and pen."""
    writers = tracks.writers
    x_height_px = float(rng.uniform(13, 24))
    gap = float(rng.uniform(0.02, 0.3) if rng.random() < 0.78 else rng.uniform(0.3, 0.7))
    return PenStyle(
        writer=writers[int(rng.integers(len(writers)))],
        x_height_px=x_height_px,
        pen_px=float(np.clip(rng.lognormal(0, 0.4) * 0.09 * x_height_px, 0.8, 4.5)),
        slant_deg=float(np.clip(rng.normal(6, 13), -25, 42)),
        width=float(np.exp(rng.normal(0.05, 0.22))),
        ascent=float(np.exp(rng.normal(0, 0.15))),
        gap=gap,
        word_gap=float(rng.uniform(0.5, 1.4)) + gap,
        joined=float(rng.choice([0.0, 0.4, 0.8, 1.0])),
        borrowed=float(rng.choice([0.0, 0.15, 0.5])),
        partner=writers[int(rng.integers(len(writers)))],
        blend=float(rng.uniform(-0.4, 1.0)) if rng.random() < 0.6 else 0.0,
        fluency=float(rng.uniform(0.03, 0.16)) if rng.random() < 0.45 else 0.0,
        fade=float(rng.uniform(0.1, 0.45)) if rng.random() < 0.3 else 0.0,
        shake=float(rng.gamma(2.0, 0.02)),
        turn_deg=float(rng.gamma(2.0, 2.0)),
        wander=float(rng.gamma(2.0, 0.03)),
        polygonal=float(rng.choice([0.0, 0.03, 0.07, 0.13])),
        smoothing=int(rng.integers(0, 3)),
        nib=float(rng.uniform(0.2, 0.6)) if rng.random() < 0.25 else 0.0,
    )


def in_cells(rng: Rng, style: PenStyle) -> PenStyle:
    """The same hand in the cells of a comb: letters apart, each in the middle of its own."""
    return replace(style, cell=float(rng.uniform(1.4, 2.6)), joined=0.0)
