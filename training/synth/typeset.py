"""Setting type: measuring text, breaking it into lines, placing spans on a baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.synth.alphabet import normalise
from training.synth.fonts import FontFace
from training.synth.ink import glyph
from training.synth.layouts import Box, Hand, Layout, Line, Span

PRINTED = "printed"
HANDWRITTEN = "handwritten"

# Room a line claims around its baseline, in font sizes: accents above, descenders below.
_ABOVE, _BELOW = 0.7, 0.18
_LEAST_GAP = 0.5


def text_width(text: str, face: FontFace, size_px: float) -> float:
    """Sum of the advances: letters are set one by one, without kerning, as :mod:`ink` draws them."""
    size = max(4, round(size_px))
    return sum(glyph(face.path, size, character).advance for character in text)


@dataclass(frozen=True, slots=True)
class Style:
    """A face at a size, with the ink and the kind of its lines. ``hand`` only for handwriting."""

    face: FontFace
    size_px: float
    ink: int
    kind: str = PRINTED
    hand: Hand | None = None

    def sized(self, factor: float) -> Style:
        return replace(self, size_px=self.size_px * factor)

    @property
    def word_gap(self) -> float:
        """Width of a space, pixels. Hands leave more room between words than their fonts do."""
        if self.hand is None:
            return self.width(" ")
        return max(self.width(" "), 0.28 * self.size_px) * self.hand.spacing

    def clean(self, text: str) -> str:
        """The text over the characters that the face can draw."""
        return normalise(text, self.face.characters)

    def width(self, text: str) -> float:
        stretch = self.hand.stretch if self.hand else 1.0
        return text_width(text, self.face, self.size_px) * stretch


def make_line(text: str, style: Style, x_px: float, baseline_px: float, seed: int = 0) -> Line:
    """A line starting at ``x_px``. Handwriting becomes one span a word, so that words can wander."""
    size = max(4, round(style.size_px))
    text = style.clean(text)
    if style.hand is None:
        spans: tuple[Span, ...] = (Span(text, style.face, size, x_px),)
        return Line(text, spans, baseline_px, style.kind, style.ink)
    placed, x, space = [], x_px, style.word_gap
    for word in text.split():
        placed.append(Span(word, style.face, size, x))
        x += style.width(word) + space
    return Line(
        " ".join(text.split()),
        tuple(placed),
        baseline_px,
        style.kind,
        style.ink,
        replace(style.hand, seed=seed),
    )


def line_extent(line: Line) -> tuple[float, float]:
    """Left and right end of the advances, pixels."""
    last = line.spans[-1]
    stretch = line.hand.stretch if line.hand else 1.0
    return line.spans[0].x_px, last.x_px + text_width(last.text, last.face, last.size_px) * stretch


def line_box(line: Line, above: float = _ABOVE, below: float = _BELOW) -> Box:
    x0, x1 = line_extent(line)
    size = max(span.size_px for span in line.spans)
    return x0, line.baseline_px - above * size, x1, line.baseline_px + below * size


def put(
    layout: Layout, text: str, style: Style, at: tuple[float, float], align: str = "left", tight: bool = False
) -> float:
    """Places one line at ``at`` (x, baseline) and returns its width, or 0 where it did not fit.

    ``align`` says what x is: the left end, the right end or the centre. ``tight`` claims only the
    band of small letters, for hands whose lines touch.
    """
    text = style.clean(text)
    if not text:
        return 0.0
    x, baseline = at
    line = make_line(text, style, x, baseline, seed=len(layout.lines) + 1)
    x0, x1 = line_extent(line)
    shift = {"left": 0.0, "right": x0 - x1, "center": (x0 - x1) / 2}[align]
    if shift:
        line = replace(line, spans=tuple(replace(s, x_px=s.x_px + shift) for s in line.spans))
    box = line_box(line, 0.3, 0.0) if tight else line_box(line)
    # Lines closer than half a letter on one row would be read as one.
    gap = _LEAST_GAP * style.size_px
    apart = (max(0.0, box[0] - gap), box[1], min(layout.width_px, box[2] + gap), box[3])
    if not layout.is_free(apart if not tight else box):
        return 0.0
    return x1 - x0 if layout.place(line, box) else 0.0


def fit(text: str, style: Style, width_px: float, smallest: float = 0.6) -> tuple[str, Style]:
    """Shrinks the style (down to ``smallest``), then drops words, until the text fits the width.

    In no width at all, which may be told as a negative one, only what has none fits.
    """
    least_px = smallest * style.size_px
    width_px = max(width_px, 0.0)
    while (width := style.width(text)) > width_px and style.size_px > least_px:
        # Hinted advances do not scale evenly, so one step by the ratio may fall short.
        shrunk_px = math.floor(min(style.size_px - 1, style.size_px * width_px / width))
        style = replace(style, size_px=max(least_px, shrunk_px))
    words = text.split()
    while len(words) > 1 and style.width(" ".join(words)) > width_px:
        words.pop()
    return " ".join(words), style


def break_lines(
    words: Sequence[str], style: Style, width_px: float, first_indent_px: float = 0.0
) -> list[list[str]]:
    """Greedy line breaking; a word wider than the column stands alone."""
    space = style.word_gap
    lines: list[list[str]] = []
    current: list[str] = []
    used, room = 0.0, width_px - first_indent_px
    for word in words:
        width = style.width(word)
        if current and used + space + width > room:
            lines.append(current)
            current, used, room = [], 0.0, width_px
        used += width + (space if current else 0.0)
        current.append(word)
    if current:
        lines.append(current)
    return lines


def justified(words: Sequence[str], style: Style, x_px: float, baseline_px: float, width_px: float) -> Line:
    """A printed line stretched to the column by widening its spaces."""
    widths = [style.width(w) for w in words]
    gap = (width_px - sum(widths)) / max(1, len(words) - 1)
    spans, x = [], x_px
    for word, width in zip(words, widths, strict=True):
        spans.append(Span(word, style.face, max(4, round(style.size_px)), x))
        x += width + gap
    return Line(" ".join(words), tuple(spans), baseline_px, style.kind, style.ink)


def mixed(parts: Sequence[tuple[str, Style]], x_px: float, baseline_px: float) -> Line:
    """A printed line of words in several faces, one space apart."""
    parts = [(cleaned, style) for word, style in parts if (cleaned := style.clean(word))]
    spans, x = [], x_px
    for word, style in parts:
        spans.append(Span(word, style.face, max(4, round(style.size_px)), x))
        x += style.width(word + " ")
    first = parts[0][1]
    return Line(" ".join(word for word, _ in parts), tuple(spans), baseline_px, first.kind, first.ink)


@dataclass(frozen=True, slots=True)
class Column:
    """Where running text may stand, and how it is led."""

    x_px: float
    width_px: float
    leading_px: float
    justify: bool = False
    indent_px: float = 0.0
    tight: bool = False


def paragraph(
    layout: Layout, words: Sequence[str], style: Style, column: Column, top_px: float, bottom_px: float
) -> float:
    """Sets words from ``top_px`` (first baseline) down to ``bottom_px``; returns the next baseline."""
    y = top_px
    words = [word for raw in words if (word := style.clean(raw))]
    rows = break_lines(words, style, column.width_px, column.indent_px)
    for index, row in enumerate(rows):
        if y > bottom_px:
            break
        x = column.x_px + (column.indent_px if index == 0 else 0.0)
        room = column.width_px - (column.indent_px if index == 0 else 0.0)
        last = index == len(rows) - 1
        if column.justify and style.hand is None and not last and len(row) > 3:
            line = justified(row, style, x, y, room)
            layout.place(line, line_box(line))
        else:
            put(layout, " ".join(row), style, (x, y), tight=column.tight)
        y += column.leading_px
    return y


def sample_hand(rng: np.random.Generator, width_px: float, neat: float = 0.0) -> Hand:
    """One writer's manner. ``neat`` 1 is a careful form-filler, 0 a hasty letter-writer."""
    loose = 1.0 - 0.7 * neat
    return Hand(
        slope_deg=float(rng.normal(0.8, 1.3) * loose),
        wave=float(abs(rng.normal(0, 0.07)) * loose),
        wave_length_px=float(rng.uniform(0.5, 1.5) * width_px),
        wave_phase=float(rng.uniform(0, 6.283)),
        jitter=float(rng.uniform(0.005, 0.05) * loose),
        shear=float(rng.normal(0.12, 0.22)),
        stretch=float(rng.uniform(0.85, 1.35)),
        size_jitter=float(rng.uniform(0.0, 0.08) * loose),
        spacing=float(rng.uniform(1.0, 2.0)),
    )
