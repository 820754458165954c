"""From layout to ink: one coverage plane an ink, and the truth of every line that was drawn."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from training.synth.canvas import DrawnLine, Plane, blot, box_quads, inked_indices
from training.synth.ink import glyph
from training.synth.layouts import Layout, Line, Rule
from training.synth.penwork import draw_written

# A line without descenders ends between its baseline and the face's descent.
_SHALLOW = 0.45


def draw(layout: Layout) -> tuple[list[Plane], list[DrawnLine]]:
    """Coverage planes (uint8 ``(H, W)``, 255 full ink), one an ink of the layout, and the truth."""
    planes = [np.zeros((layout.height_px, layout.width_px), np.uint8) for _ in layout.inks]
    for rule in layout.rules:
        _draw_rule(planes[rule.ink], rule)
    drawn = []
    for line in layout.lines:
        plane = planes[line.ink]
        truth = (
            _draw_printed(plane, line, layout.slack)
            if line.hand is None
            else draw_written(plane, line, layout.tracks)
        )
        if truth is not None:
            drawn.append(truth)
    return planes, drawn


def _draw_rule(plane: Plane, rule: Rule) -> None:
    thick = max(1, round(rule.width_px))
    ends = np.array([[rule.x0, rule.y0], [rule.x1, rule.y1]])
    # A hair line prints lighter than a stroke one pixel wide.
    level = int(255 * min(1.0, 0.4 + 0.6 * rule.width_px))
    if rule.dash_px <= 0:
        pieces = [ends]
    else:
        length = float(np.hypot(*(ends[1] - ends[0])))
        starts = np.arange(0, length, 2 * max(2.0, rule.dash_px))
        step = (ends[1] - ends[0]) / max(length, 1e-6)
        pieces = [
            np.stack([ends[0] + step * s, ends[0] + step * min(length, s + rule.dash_px)]) for s in starts
        ]
    for piece in pieces:
        a, b = (tuple(round(v) for v in point) for point in piece)
        cv2.line(
            plane,
            a,
            b,
            level,
            thick,
            cv2.LINE_AA if abs(rule.y0 - rule.y1) > 1 < abs(rule.x0 - rule.x1) else 8,
        )


@lru_cache(maxsize=2048)
def _extent(path: Path, size_px: int, characters: frozenset[str]) -> tuple[float, float]:
    """Ascent and descent of the face's letters in ink, pixels."""
    tall = [glyph(path, size_px, c) for c in "bdhkБВЛH0" if c in characters]
    deep = [glyph(path, size_px, c) for c in "pqgyру" if c in characters]
    ascent = max((-g.top for g in tall if g.mask.size), default=round(0.72 * size_px))
    descent = max((g.top + g.mask.shape[0] for g in deep if g.mask.size), default=round(0.22 * size_px))
    return float(ascent), float(max(descent, 0))


def _draw_printed(plane: Plane, line: Line, slack: tuple[float, float, float]) -> DrawnLine | None:
    baseline = round(line.baseline_px)
    boxes: list[tuple[float, float, float, float]] = []
    above = below = deepest = 0.0
    for span in line.spans:
        pen = span.x_px
        ascent, descent = _extent(span.face.path, span.size_px, span.face.characters)
        above, below = max(above, ascent), max(below, descent)
        for character in span.text:
            shape = glyph(span.face.path, span.size_px, character)
            height, width = shape.mask.shape
            if shape.mask.size:
                left, top = round(pen) + shape.left, baseline + shape.top
                blot(plane, shape.mask, left, top)
                boxes.append((left, top, left + width, top + height))
                deepest = max(deepest, shape.top + height)
            pen += shape.advance
    if not boxes:
        return None
    below = below if deepest > 0.5 * below else _SHALLOW * below
    size = max(span.size_px for span in line.spans)
    array = np.asarray(boxes, np.float32)
    over, under, beside = (share * size for share in slack)
    x0, x1 = array[:, 0].min() - beside, array[:, 2].max() + beside
    y0, y1 = baseline - above - over, baseline + below + under
    xs = np.linspace(x0, x1, 7, dtype=np.float32)
    hull = np.concatenate([np.stack([xs, np.full(7, y)], 1) for y in (y0, y1)]).astype(np.float32)
    spine = np.stack([xs, np.full(7, baseline)], 1).astype(np.float32)
    return DrawnLine(line.text, line.kind, hull, spine, box_quads(array), inked_indices(line.text))
