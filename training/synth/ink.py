"""Text to ink: a coverage mask with one box a character, set by FreeType letter by letter.

Nothing here is random: every variation is a number in :class:`InkStyle`, so that the same
arguments give the same pixels. Lines and pages are both set with this module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ImageFont

from training.synth.fonts import FontFace

Mask = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class InkStyle:
    """How letters stand on the line.

    ``letter_spacing_px`` and ``word_spacing_px`` are added to the advance of every letter and
    every space. ``jitter`` is float32 ``(N, 5)``, one row a character: dx px, dy px, rotation in
    degrees (counter-clockwise), scale, ink density in ``[0, 1]``. ``slant_deg`` leans the line to
    the right, ``weight_px`` widens (or, negative, thins) every stroke on both sides together.
    """

    letter_spacing_px: float = 0.0
    word_spacing_px: float = 0.0
    slant_deg: float = 0.0
    weight_px: float = 0.0
    jitter: npt.NDArray[np.float32] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TextInk:
    """Ink of one line.

    ``mask``: uint8 ``(H, W)``, 0 paper to 255 full ink. ``char_boxes``: float32 ``(N, 4)``, rows
    x0, y0, x1, y1 in pixels of the mask, one a character of ``text``; a space has a box of its
    advance and no height. ``baseline_y``: row of the baseline, in pixels.
    """

    mask: Mask
    char_boxes: Boxes
    baseline_y: float
    text: str


@dataclass(frozen=True, slots=True)
class Glyph:
    """One rasterised letter: ``left`` and ``top`` place the mask from the pen at the baseline."""

    mask: Mask
    left: int
    top: int
    advance: float


@lru_cache(maxsize=512)
def load_font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=50_000)
def glyph(path: Path, size_px: int, character: str) -> Glyph:
    font = load_font(path, size_px)
    raster, (left, top) = font.getmask2(character, mode="L", anchor="ls")
    width, height = raster.size
    mask = np.frombuffer(bytes(raster), np.uint8).reshape(height, width)
    inked = np.flatnonzero(mask.any(axis=0))
    if inked.size:  # Pillow's raster is as wide as the advance: side bearings are no part of the letter
        mask, left = np.ascontiguousarray(mask[:, inked[0] : inked[-1] + 1]), left + int(inked[0])
    return Glyph(mask, int(left), int(top), font.getlength(character))


def render_text(text: str, face: FontFace, size_px: int, style: InkStyle | None = None) -> TextInk:
    """Set ``text`` in ``face`` at ``size_px`` pixels to the em.

    Raises ``ValueError`` for an empty text or one with characters that the face does not draw.
    """
    if not text:
        raise ValueError("no text to render")
    if not face.covers(text):
        raise ValueError(f"{face.name} does not draw {sorted(set(text) - face.characters)}")
    style = style or InkStyle()
    glyphs = [glyph(face.path, size_px, character) for character in text]
    pens = _pen_positions(text, glyphs, style)
    placed = [
        _vary(shape, pen, row)
        for shape, pen, row in zip(glyphs, pens, _jitter_rows(style, len(text)), strict=True)
    ]
    ink = _compose(text, placed, pens, size_px)
    return _slant_and_weight(ink, style)


def join(inks: Sequence[TextInk], raises_px: Sequence[float] | None = None) -> TextInk:
    """Lines of ink side by side on one baseline; ``raises_px`` lifts parts (superscripts)."""
    lifts = [0.0] * len(inks) if raises_px is None else list(raises_px)
    above = max(math.ceil(ink.baseline_y + lift) for ink, lift in zip(inks, lifts, strict=True))
    below = max(
        math.ceil(ink.mask.shape[0] - ink.baseline_y - lift) for ink, lift in zip(inks, lifts, strict=True)
    )
    canvas = np.zeros((above + below + 1, sum(ink.mask.shape[1] for ink in inks)), np.uint8)
    boxes, x = [], 0
    for ink, lift in zip(inks, lifts, strict=True):
        top = round(above - ink.baseline_y - lift)
        height, width = ink.mask.shape
        canvas[top : top + height, x : x + width] = ink.mask
        boxes.append(ink.char_boxes + np.array([x, top, x, top], np.float32))
        x += width
    return TextInk(canvas, np.concatenate(boxes), float(above), "".join(ink.text for ink in inks))


def _pen_positions(text: str, glyphs: Sequence[Glyph], style: InkStyle) -> list[float]:
    pens, x = [], 0.0
    for character, shape in zip(text, glyphs, strict=True):
        pens.append(x)
        x += shape.advance + style.letter_spacing_px + (style.word_spacing_px if character == " " else 0.0)
    return pens


def _jitter_rows(style: InkStyle, count: int) -> npt.NDArray[np.float32]:
    if style.jitter is None:
        return np.tile(np.array([0, 0, 0, 1, 1], np.float32), (count, 1))
    if style.jitter.shape != (count, 5):
        raise ValueError(f"jitter has shape {style.jitter.shape}, wanted ({count}, 5)")
    return style.jitter


def _vary(shape: Glyph, pen: float, row: npt.NDArray[np.float32]) -> Glyph:
    """The letter at its place on the line: ``left`` and ``top`` count from the line's start."""
    dx, dy, rotation_deg, scale, density = (float(value) for value in row)
    mask, left, top = shape.mask, float(shape.left), float(shape.top)
    if mask.size and (abs(rotation_deg) > 0.05 or abs(scale - 1) > 0.005):
        mask, left, top = _turn(mask, left, top, rotation_deg, scale)
    if density < 0.995:
        mask = (mask * density).astype(np.uint8)
    return Glyph(mask, round(pen + dx + left), round(dy + top), shape.advance)


def _turn(
    mask: Mask, left: float, top: float, rotation_deg: float, scale: float
) -> tuple[Mask, float, float]:
    """Rotate and scale about the middle of the letter's baseline."""
    height, width = mask.shape
    pivot = (-left + (left + width / 2), -top)
    matrix = cv2.getRotationMatrix2D(pivot, rotation_deg, scale)
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    matrix[:, 2] -= low
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    turned = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)
    return turned, left + float(low[0]), top + float(low[1])


def _compose(text: str, placed: Sequence[Glyph], pens: Sequence[float], size_px: int) -> TextInk:
    end = max(pen + shape.advance for pen, shape in zip(pens, placed, strict=True))
    left = min(0, *(shape.left for shape in placed))
    right = max(math.ceil(end), *(shape.left + shape.mask.shape[1] for shape in placed), left + 1)
    top = min(-round(size_px * 0.75), *(shape.top for shape in placed))
    bottom = max(round(size_px * 0.22), *(shape.top + shape.mask.shape[0] for shape in placed))
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    boxes = np.zeros((len(text), 4), np.float32)
    for i, (shape, pen) in enumerate(zip(placed, pens, strict=True)):
        height, width = shape.mask.shape
        x, y = shape.left - left, shape.top - top
        if text[i] == " " or not shape.mask.size:
            boxes[i] = pen - left, -top, pen - left + shape.advance, -top
            continue
        window = canvas[y : y + height, x : x + width]
        np.maximum(window, shape.mask, out=window)
        boxes[i] = x, y, x + width, y + height
    return TextInk(canvas, boxes, float(-top), text)


def _slant_and_weight(ink: TextInk, style: InkStyle) -> TextInk:
    mask, boxes = ink.mask, ink.char_boxes
    lean = math.tan(math.radians(style.slant_deg))
    if abs(lean) > 0.003:
        mask, boxes = _shear(mask, boxes, lean, ink.baseline_y)
    if abs(style.weight_px) > 0.05:
        mask = change_weight(mask, style.weight_px)
    return TextInk(mask, boxes, ink.baseline_y, ink.text)


def _shear(mask: Mask, boxes: Boxes, lean: float, baseline_y: float) -> tuple[Mask, Boxes]:
    height, width = mask.shape
    shifts = lean * (baseline_y - np.array([0, height]))
    margin = math.ceil(max(0.0, float(-shifts.min())))
    matrix = np.array([[1, -lean, lean * baseline_y + margin], [0, 1, 0]])
    size = (width + margin + math.ceil(max(0.0, float(shifts.max()))), height)
    leaned = boxes.copy()
    ends = np.sort(np.stack([lean * (baseline_y - boxes[:, 1]), lean * (baseline_y - boxes[:, 3])]), axis=0)
    leaned[:, 0] += ends[0] + margin
    leaned[:, 2] += ends[1] + margin
    return cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR), leaned


def change_weight(mask: Mask, weight_px: float) -> Mask:
    """Widen or thin strokes by ``weight_px`` (fractions allowed), keeping soft edges.

    Grey dilation or erosion by whole pixels, mixed with the next one for the fraction.
    """
    steps = abs(weight_px) / 2
    operation = cv2.dilate if weight_px > 0 else cv2.erode
    whole, part = int(steps), steps - int(steps)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    out = operation(mask, kernel, iterations=whole) if whole else mask
    if part > 0.02:
        out = cv2.addWeighted(out, 1 - part, operation(out, kernel), part, 0)
    return out
