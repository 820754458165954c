"""What stands on a sheet before it is inked: lines of text, rules, panels and marks, as plain geometry.

All coordinates are pixels of the flat sheet, origin top left, y down. Nothing here draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from training.synth.fonts import FontFace
from training.synth.handwriting import PenStyle, TrackSet
from training.synth.processes import Process

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` in sheet pixels."""

Rgb = tuple[int, int, int]

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72.0


@dataclass(frozen=True, slots=True)
class Ink:
    """How one pen, ribbon or press marks the paper.

    ``spread_px`` is the standard deviation of the bleed; ``gain`` above 1 thickens what has bled
    and below 1 thins it. ``fade`` is the share of ink lost where the coverage is worst (slow
    variation over the sheet), ``grain`` the share lost to fine speckle; both in ``[0, 1]``.
    ``process`` names a way of :mod:`processes` in which the ink got on the paper, ``strength`` how
    badly, ``x_height_px`` the scale of its letters.
    """

    colour: Rgb
    opacity: float = 1.0
    spread_px: float = 0.0
    gain: float = 1.0
    fade: float = 0.0
    grain: float = 0.0
    process: Process | None = None
    strength: float = 0.0
    x_height_px: float = 10.0


@dataclass(frozen=True, slots=True)
class Hand:
    """How a hand departs from the font: applied to each word of a handwritten line.

    ``slope_deg`` is positive for lines that rise; ``wave`` and ``jitter`` are baseline departures
    in units of the font size; ``shear`` slants letters to the right; ``stretch`` widens them;
    ``size_jitter`` is the relative spread of word sizes; ``spacing`` widens the gaps of words. With
    ``pen`` the words are drawn from recorded pen tracks and the face only keeps the measure.
    """

    slope_deg: float = 0.0
    wave: float = 0.0
    wave_length_px: float = 800.0
    wave_phase: float = 0.0
    jitter: float = 0.0
    shear: float = 0.0
    stretch: float = 1.0
    size_jitter: float = 0.0
    spacing: float = 1.0
    pen: PenStyle | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text in one face, its advance starting at ``x_px``."""

    text: str
    face: FontFace
    size_px: int
    x_px: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of truth: spans on a common baseline. ``ink`` indexes the layout's inks."""

    text: str
    spans: tuple[Span, ...]
    baseline_px: float
    kind: str
    ink: int
    hand: Hand | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A drawn line; ``dash_px`` 0 means solid, else the length of a dash and of its gap."""

    x0: float
    y0: float
    x1: float
    y1: float
    width_px: float
    ink: int
    dash_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A filled rectangle under the text (grey code block, coloured cell).

    ``negative`` turns ink and paper round: light letters on the panel's colour.
    """

    box: Box
    colour: Rgb
    negative: bool = False


class MarkKind(StrEnum):
    """Things on a page that are not lines of text."""

    STAMP = "stamp"
    SIGNATURE = "signature"
    SCRIBBLE = "scribble"
    LOGO = "logo"
    PHOTO = "photo"
    BARCODE = "barcode"
    QR = "qr"
    TICK = "tick"
    STRIKE = "strike"
    HOLE = "hole"
    STAIN = "stain"


@dataclass(frozen=True, slots=True)
class Mark:
    """A distractor inside ``box``; its look follows from ``seed`` alone."""

    kind: MarkKind
    box: Box
    seed: int
    colour: Rgb = (20, 20, 20)


@dataclass(slots=True)
class Layout:
    """A sheet being laid out. ``kind`` names the sort of document.

    ``slack`` is the room that labels of such documents leave around a printed line's ink: above,
    below and at each end, in font sizes.
    """

    kind: str
    width_px: int
    height_px: int
    dpi: float
    slack: tuple[float, float, float] = (0.03, 0.03, 0.05)
    tracks: TrackSet | None = None
    inks: list[Ink] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    _taken: npt.NDArray[np.bool_] | None = None

    CELL_PX: ClassVar[int] = 2

    def mm(self, value: float) -> float:
        return value * self.dpi / MM_PER_INCH

    def pt(self, value: float) -> float:
        return value * self.dpi / POINTS_PER_INCH

    def add_ink(self, ink: Ink) -> int:
        self.inks.append(ink)
        return len(self.inks) - 1

    def _cells(self, box: Box) -> tuple[slice, slice]:
        x0, y0, x1, y1 = (int(v // self.CELL_PX) for v in box)
        return slice(max(0, y0), max(0, y1) + 1), slice(max(0, x0), max(0, x1) + 1)

    def _occupancy(self) -> npt.NDArray[np.bool_]:
        if self._taken is None:
            self._taken = np.zeros(
                (self.height_px // self.CELL_PX + 1, self.width_px // self.CELL_PX + 1), bool
            )
        return self._taken

    def is_free(self, box: Box) -> bool:
        """True where nothing was claimed and the box lies on the sheet."""
        if box[0] < 0 or box[1] < 0 or box[2] > self.width_px or box[3] > self.height_px:
            return False
        return not self._occupancy()[self._cells(box)].any()

    def claim(self, box: Box) -> None:
        self._occupancy()[self._cells(box)] = True

    def place(self, line: Line, box: Box) -> bool:
        """Adds the line if its box is free; says whether it did."""
        if not self.is_free(box):
            return False
        self.claim(box)
        self.lines.append(line)
        return True
