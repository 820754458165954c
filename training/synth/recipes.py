"""The recipe of one line: every number that decides its pixels, drawn before any pixel is."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.types import Kind
from training.synth.corpora import Language
from training.synth.degrade import Degradation
from training.synth.fonts import FontFace
from training.synth.framing import Framing
from training.synth.handwriting import PenStyle, TrackSet
from training.synth.ink import InkStyle
from training.synth.processes import Process


@dataclass(frozen=True, slots=True)
class Run:
    """Part of a line in one face; ``raise_px`` lifts it (superscript)."""

    text: str
    face: FontFace
    size_px: int
    raise_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Wobble:
    """Standard deviations of what differs from letter to letter, and of the bend of the line.

    ``shift_x``, ``shift_y``, ``bend``, ``wave`` in shares of the em, ``rotation_deg`` in degrees,
    ``scale`` and ``density`` as shares.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    rotation_deg: float = 0.0
    scale: float = 0.0
    density: float = 0.0
    bend: float = 0.0
    wave: float = 0.0


@dataclass(frozen=True, slots=True)
class PenRun:
    """A line written with recorded pen tracks."""

    text: str
    style: PenStyle
    tracks: TrackSet


@dataclass(frozen=True, slots=True)
class LineSpec:
    """Everything that decides the pixels of one line: set in type (``runs``) or written (``pen``)."""

    runs: tuple[Run, ...]
    pen: PenRun | None
    kind: Kind
    language: Language
    style: InkStyle
    wobble: Wobble
    process: Process
    process_strength: float
    framing: Framing
    degradation: Degradation
    seed: int

    @property
    def text(self) -> str:
        return self.pen.text if self.pen else "".join(run.text for run in self.runs)
