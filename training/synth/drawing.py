"""From layout to ink: one coverage plane an ink, and the truth of every line that was drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.ink import InkStyle, glyph, render_text
from training.synth.layouts import Ink, Layout, Line, Rule, Span
from training.synth.textures import field, speckle

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Measured on the labelled real pages: a label leaves a few hundredths of the letter size around ink.
_PAD_X, _PAD_Y = 0.05, 0.03
# A line without descenders ends between its baseline and the face's descent.
_SHALLOW = 0.45


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """Truth of one line on the flat sheet.

    ``hull``: float32 ``(K, 2)``, points that the line's quad must hold. ``spine``: float32
    ``(S, 2)``, points along the baseline, left to right. ``chars``: float32 ``(C, 4, 2)``, a quad
    for each character of ``text`` that has ink, with its index in ``text`` in ``char_index``.
    """

    text: str
    kind: str
    hull: Floats
    spine: Floats
    chars: Floats
    char_index: tuple[int, ...]


def draw(layout: Layout) -> tuple[list[Plane], list[DrawnLine]]:
    """Coverage planes (uint8 ``(H, W)``, 255 full ink), one an ink of the layout, and the truth."""
    planes = [np.zeros((layout.height_px, layout.width_px), np.uint8) for _ in layout.inks]
    for rule in layout.rules:
        _draw_rule(planes[rule.ink], rule)
    drawn = []
    for line in layout.lines:
        plane = planes[line.ink]
        truth = _draw_printed(plane, line) if line.hand is None else _draw_written(plane, line)
        if truth is not None:
            drawn.append(truth)
    return planes, drawn


def ink_on_paper(planes: list[Plane], inks: list[Ink], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Reflectance of the inked sheet, uint8 ``(H, W, 3)``, 255 bare paper."""
    height, width = planes[0].shape
    sheet = np.full((height, width, 3), 255, np.uint8)
    for plane, ink in zip(planes, inks, strict=True):
        rows = np.flatnonzero(plane.max(axis=1))
        if rows.size == 0:
            continue
        top, bottom = max(0, int(rows[0]) - 4), min(height, int(rows[-1]) + 5)
        coverage = _age(plane[top:bottom], ink, rng)
        window = sheet[top:bottom]
        for channel, level in enumerate(ink.colour):
            bare = 255 - cv2.multiply(coverage, (255 - level,), scale=1 / 255, dtype=cv2.CV_8U)
            window[..., channel] = cv2.multiply(window[..., channel], bare, scale=1 / 255)
    return sheet


def _age(plane: Plane, ink: Ink, rng: np.random.Generator) -> Plane:
    out = plane
    if ink.spread_px > 0.05:
        out = cv2.GaussianBlur(out, (0, 0), ink.spread_px)
    if ink.gain * ink.opacity != 1.0:
        out = cv2.convertScaleAbs(out, alpha=ink.gain)
    if ink.grain > 0:
        keep = cv2.convertScaleAbs(speckle(rng, *plane.shape), alpha=ink.grain)
        out = cv2.subtract(out, keep)
    if ink.fade > 0:
        loss = field(rng, plane.shape[0], plane.shape[1], period_px=float(rng.uniform(80, 700)))
        keep = cv2.convertScaleAbs(255 - loss, alpha=ink.fade, beta=255 * (1 - ink.fade))
        out = cv2.multiply(out, keep, scale=1 / 255)
    return cv2.convertScaleAbs(out, alpha=ink.opacity)


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
        pieces = [np.stack([ends[0] + step * s, ends[0] + step * min(length, s + rule.dash_px)]) for s in starts]
    for piece in pieces:
        a, b = (tuple(int(round(v)) for v in point) for point in piece)
        cv2.line(plane, a, b, level, thick, cv2.LINE_AA if abs(rule.y0 - rule.y1) > 1 < abs(rule.x0 - rule.x1) else 8)


def _blot(plane: Plane, mask: Plane, left: int, top: int) -> None:
    """Adds a mask to the plane, cut at its borders."""
    height, width = mask.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(plane.shape[1], left + width), min(plane.shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return
    window = plane[y0:y1, x0:x1]
    np.maximum(window, mask[y0 - top : y1 - top, x0 - left : x1 - left], out=window)


@lru_cache(maxsize=2048)
def _extent(path: Path, size_px: int, characters: frozenset[str]) -> tuple[float, float]:
    """Ascent and descent of the face's letters in ink, pixels."""
    tall = [glyph(path, size_px, c) for c in "bdhkБВЛH0" if c in characters]
    deep = [glyph(path, size_px, c) for c in "pqgyру" if c in characters]
    ascent = max((-g.top for g in tall if g.mask.size), default=round(0.72 * size_px))
    descent = max((g.top + g.mask.shape[0] for g in deep if g.mask.size), default=round(0.22 * size_px))
    return float(ascent), float(max(descent, 0))


def _draw_printed(plane: Plane, line: Line) -> DrawnLine | None:
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
                _blot(plane, shape.mask, left, top)
                boxes.append((left, top, left + width, top + height))
                deepest = max(deepest, shape.top + height)
            pen += shape.advance
    if not boxes:
        return None
    below = below if deepest > 0.5 * below else _SHALLOW * below
    size = max(span.size_px for span in line.spans)
    array = np.asarray(boxes, np.float32)
    x0, x1 = array[:, 0].min() - _PAD_X * size, array[:, 2].max() + _PAD_X * size
    y0, y1 = baseline - above - _PAD_Y * size, baseline + below + _PAD_Y * size
    xs = np.linspace(x0, x1, 7, dtype=np.float32)
    hull = np.concatenate([np.stack([xs, np.full(7, y)], 1) for y in (y0, y1)]).astype(np.float32)
    spine = np.stack([xs, np.full(7, baseline)], 1).astype(np.float32)
    return DrawnLine(line.text, line.kind, hull, spine, _quads(array), _inked(line.text))


def _inked(text: str) -> tuple[int, ...]:
    return tuple(i for i, c in enumerate(text) if not c.isspace())


def _quads(boxes: Floats) -> Floats:
    x0, y0, x1, y1 = boxes.T
    return np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=1).reshape(-1, 4, 2).astype(np.float32)


def _draw_written(plane: Plane, line: Line) -> DrawnLine | None:
    """Words under the hand's slope, wave, slant and unevenness. Each word turns about its origin."""
    hand = line.hand
    assert hand is not None
    rng = np.random.default_rng(hand.seed)
    start = line.spans[0].x_px
    chars, spine = [], []
    for span in line.spans:
        run = span.x_px - start
        slope = -math.tan(math.radians(hand.slope_deg)) * run
        wave = hand.wave * span.size_px * math.sin(2 * math.pi * span.x_px / hand.wave_length_px + hand.wave_phase)
        y = line.baseline_px + slope + wave + float(rng.normal(0, hand.jitter)) * span.size_px
        scale = 1.0 + float(rng.normal(0, hand.size_jitter))
        turn = hand.slope_deg + float(rng.normal(0, 20 * hand.jitter))
        quads, end = _draw_word(plane, span, (span.x_px, y), _Pull(hand.stretch, hand.shear, scale, turn), rng)
        chars.append(quads)
        spine += [(span.x_px, y), end]
    letters = np.concatenate(chars)
    if not len(letters):
        return None
    inked = tuple(i for i, c in enumerate(line.text) if not c.isspace())
    return DrawnLine(line.text, line.kind, letters.reshape(-1, 2), np.asarray(spine, np.float32), letters, inked)


@dataclass(frozen=True, slots=True)
class _Pull:
    stretch: float
    shear: float
    scale: float
    turn_deg: float

    def matrix(self) -> npt.NDArray[np.float64]:
        turn = math.radians(self.turn_deg)
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        return rotation @ np.array([[self.stretch * self.scale, -self.shear * self.scale], [0, self.scale]])


def _draw_word(
    plane: Plane, span: Span, at: tuple[float, float], pull: _Pull, rng: np.random.Generator
) -> tuple[Floats, tuple[float, float]]:
    count = len(span.text)
    jitter = np.zeros((count, 5), np.float32)
    jitter[:, 1] = rng.normal(0, 0.012 * span.size_px, count)
    jitter[:, 2] = rng.normal(0, 1.2, count)
    jitter[:, 3] = rng.normal(1, 0.02, count)
    jitter[:, 4] = 1.0
    ink = render_text(span.text, span.face, span.size_px, InkStyle(jitter=jitter))
    linear = pull.matrix()
    height, width = ink.mask.shape
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - (0, ink.baseline_y)
    moved = frame @ linear.T + at
    low, high = np.floor(moved.min(0)) - 1, np.ceil(moved.max(0)) + 1
    offset = np.asarray(at) - linear @ np.array([0, ink.baseline_y]) - low
    matrix = np.hstack([linear, offset[:, None]])
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = np.asarray(cv2.warpAffine(ink.mask, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)
    _blot(plane, mask, int(low[0]), int(low[1]))
    quads = (_quads(ink.char_boxes) - np.float32([0, ink.baseline_y])) @ linear.T.astype(np.float32)
    end = linear @ np.array([width, 0.0]) + at
    return (quads + np.asarray(at, np.float32)).astype(np.float32), (float(end[0]), float(end[1]))


def oriented_quad(hull: Floats, spine: Floats) -> Floats:
    """The tightest rectangle along the spine's direction that holds the hull: TL, TR, BR, BL."""
    direction = _direction(spine)
    normal = np.array([-direction[1], direction[0]], np.float32)
    along, across = hull @ direction, hull @ normal
    corners = ((along.min(), across.min()), (along.max(), across.min()),
               (along.max(), across.max()), (along.min(), across.max()))  # fmt: skip
    return np.asarray([a * direction + b * normal for a, b in corners], np.float32)


def _direction(spine: Floats) -> Floats:
    """Unit direction of reading: the least-squares line through the baseline points."""
    centred = spine - spine.mean(axis=0)
    chord = spine[-1] - spine[0]
    if len(spine) > 2 and np.abs(centred).sum() > 0:
        axis = np.linalg.svd(centred, full_matrices=False)[2][0]
        axis = axis if axis @ chord >= 0 else -axis
    else:
        axis = chord
    return np.asarray(axis / max(float(np.linalg.norm(axis)), 1e-6), np.float32)
