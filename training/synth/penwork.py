"""Handwriting on a plane: words under a hand's slope, slant and unevenness."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.canvas import DrawnLine, Floats, Plane, blot, box_quads, inked_indices
from training.synth.handwriting import PenStyle, TrackSet, write
from training.synth.ink import InkStyle, TextInk, render_text
from training.synth.layouts import Hand, Line, Span
from training.synth.typeset import text_width

_NARROWEST = 0.75


def draw_written(plane: Plane, line: Line, tracks: TrackSet | None) -> DrawnLine | None:
    """Words under the hand's slope, wave, slant and unevenness. Each word turns about its origin."""
    hand = line.hand
    assert hand is not None
    rng = np.random.default_rng(hand.seed)
    start = line.spans[0].x_px
    chars, spine = [], []
    for span in line.spans:
        run = span.x_px - start
        slope = -math.tan(math.radians(hand.slope_deg)) * run
        wave = (
            hand.wave
            * span.size_px
            * math.sin(2 * math.pi * span.x_px / hand.wave_length_px + hand.wave_phase)
        )
        y = line.baseline_px + slope + wave + float(rng.normal(0, hand.jitter)) * span.size_px
        scale = 1.0 + float(rng.normal(0, hand.size_jitter))
        turn = hand.slope_deg + float(rng.normal(0, 20 * hand.jitter))
        if hand.pen is not None and tracks is not None:
            ink = _penned(span, hand, hand.pen, tracks, rng)
            pull = _Pull(1.0, hand.shear, scale, turn)
        else:
            ink, pull = _lettered(span, rng), _Pull(hand.stretch, hand.shear, scale, turn)
        quads, end = _draw_word(plane, ink, (span.x_px, y), pull)
        chars.append(quads)
        spine += [(span.x_px, y), end]
    letters = np.concatenate(chars)
    if not len(letters):
        return None
    return DrawnLine(
        line.text,
        line.kind,
        letters.reshape(-1, 2),
        np.asarray(spine, np.float32),
        letters,
        inked_indices(line.text),
    )


@dataclass(frozen=True, slots=True)
class _Pull:
    stretch: float
    shear: float
    scale: float
    turn_deg: float

    def matrix(self) -> npt.NDArray[np.float64]:
        turn = math.radians(self.turn_deg)
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        letters = np.array([[self.stretch * self.scale, -self.shear * self.scale], [0, self.scale]])
        return np.asarray(rotation @ letters, np.float64)


def _lettered(span: Span, rng: np.random.Generator) -> TextInk:
    """The word in its face, every letter a little off."""
    count = len(span.text)
    jitter = np.zeros((count, 5), np.float32)
    jitter[:, 1] = rng.normal(0, 0.012 * span.size_px, count)
    jitter[:, 2] = rng.normal(0, 1.2, count)
    jitter[:, 3] = rng.normal(1, 0.02, count)
    jitter[:, 4] = 1.0
    return render_text(span.text, span.face, span.size_px, InkStyle(jitter=jitter))


def _penned(span: Span, hand: Hand, pen: PenStyle, tracks: TrackSet, rng: np.random.Generator) -> TextInk:
    """The word from pen tracks, brought to the width that the face had measured."""
    x_height_px = 0.45 * span.size_px
    pen_px = pen.pen_px * x_height_px / pen.x_height_px
    ink = write(span.text, tracks, replace(pen, x_height_px=x_height_px, pen_px=max(0.9, pen_px)), rng)
    # Down to three quarters: narrower letters no longer pass for the same hand.
    ratio = max(_NARROWEST, hand.stretch * text_width(span.text, span.face, span.size_px) / ink.mask.shape[1])
    if ratio >= 1:
        return ink
    size = (max(1, round(ink.mask.shape[1] * ratio)), ink.mask.shape[0])
    mask = np.asarray(cv2.resize(ink.mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    boxes = (ink.char_boxes * np.array([ratio, 1, ratio, 1], np.float32)).astype(np.float32)
    return TextInk(mask, boxes, ink.baseline_y, ink.text)


def _draw_word(
    plane: Plane, ink: TextInk, at: tuple[float, float], pull: _Pull
) -> tuple[Floats, tuple[float, float]]:
    """Pulls the word's mask onto the plane; its letters' quads and the end of its baseline."""
    linear = pull.matrix()
    height, width = ink.mask.shape
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - (0, ink.baseline_y)
    moved = frame @ linear.T + at
    low, high = np.floor(moved.min(0)) - 1, np.ceil(moved.max(0)) + 1
    offset = np.asarray(at) - linear @ np.array([0, ink.baseline_y]) - low
    matrix = np.hstack([linear, offset[:, None]])
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = np.asarray(cv2.warpAffine(ink.mask, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)
    blot(plane, mask, int(low[0]), int(low[1]))
    origin = np.array([0, ink.baseline_y], np.float32)
    quads = (box_quads(ink.char_boxes) - origin) @ linear.T.astype(np.float32)
    end = linear @ np.array([width, 0.0]) + at
    return (quads + np.asarray(at, np.float32)).astype(np.float32), (float(end[0]), float(end[1]))
