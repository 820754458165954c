"""Handwriting composed from pen tracks of single letters: varied, joined and drawn with a pen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training.synth.blending import blend
from training.synth.ink import Boxes, Mask, TextInk
from training.synth.joining import Chain, rounded
from training.synth.signs import SIGNS
from training.synth.tracks import Letter, Track, TrackSet, load_tracks

__all__ = ["PenStyle", "TrackSet", "load_tracks", "write"]

Rng = np.random.Generator

_OVERSAMPLING = 2
# What the pen does not join to its neighbours.
_APART = frozenset(SIGNS) | frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class PenStyle:
    """One person's hand on one line. Lengths without a unit are shares of the x-height.

    ``polygonal`` is the tolerance to which tracks are simplified to straight pieces before
    ``smoothing`` rounds of corner cutting. ``joined`` is the share of letter pairs in a word that
    the pen connects, ``borrowed`` the share of letters taken from another writer. Letters are moved
    by ``blend`` of the way to those of the ``partner``. ``fluency`` is the sigma by which a quick
    hand rounds its tracks, ``fade`` the share of their height that letters lose to the end of a word.
    With a ``cell`` every character stands in the middle of one so wide, as in the comb of a form.
    """

    writer: int
    x_height_px: float
    pen_px: float
    slant_deg: float = 0.0
    width: float = 1.0
    ascent: float = 1.0
    gap: float = 0.2
    word_gap: float = 0.9
    joined: float = 0.5
    borrowed: float = 0.1
    partner: int = 0
    blend: float = 0.0
    fluency: float = 0.0
    fade: float = 0.0
    shake: float = 0.06
    turn_deg: float = 3.0
    wander: float = 0.06
    polygonal: float = 0.04
    smoothing: int = 1
    nib: float = 0.0
    cell: float = 0.0


def write(text: str, tracks: TrackSet, style: PenStyle, rng: Rng) -> TextInk:
    """Ink of ``text`` in the given hand.

    Raises ``ValueError`` for characters outside ``tracks.characters``.
    """
    if unknown := set(text) - tracks.characters:
        raise ValueError(f"no pen tracks for {sorted(unknown)}")
    chain = Chain()
    spans: list[tuple[float, float, float, float]] = []
    pen_x = 0.0
    for character, height in zip(text, _heights(text, style.fade), strict=True):
        if character == " ":
            gap = style.cell or style.word_gap * float(rng.uniform(0.7, 1.4))
            spans.append((pen_x, 0.0, pen_x + gap, 0.0))
            pen_x += gap
            chain.lift()
            continue
        letter = _vary(_choose(character, tracks, style, rng), style, height, rng)
        left, right = _reach(letter) if character.isdigit() else _body(letter)
        start = pen_x - left + _space_before(right - left, style, rng)
        placed = tuple(track + np.array([start, 0], np.float32) for track in letter)
        chain.add(placed, joined=character not in _APART and rng.random() < style.joined)
        extent = np.concatenate(placed)
        spans.append((*extent.min(0).tolist(), *extent.max(0).tolist()))
        pen_x = pen_x + style.cell if style.cell else start + right
        if character in _APART:
            chain.lift()
    return _draw(text, chain.tracks, np.array(spans, np.float32), style, rng)


def _heights(text: str, fade: float) -> list[float]:
    """How high each character is: letters of a long word less and less."""
    return [
        1.0 - fade * min(1.0, at / 10) if character.isalpha() else 1.0
        for word in text.split(" ")
        for at, character in enumerate(f"{word} ")
    ][: len(text)]


def _choose(character: str, tracks: TrackSet, style: PenStyle, rng: Rng) -> Letter:
    if character in SIGNS:
        return tuple(np.array(track, np.float32) for track in SIGNS[character])
    writer = style.writer
    if rng.random() < style.borrowed:
        writer = tracks.writers[int(rng.integers(len(tracks.writers)))]
    letter = _variant(character, writer, tracks, rng)
    if style.blend == 0:
        return letter
    return blend(letter, _variant(character, style.partner, tracks, rng), style.blend)


def _variant(character: str, writer: int, tracks: TrackSet, rng: Rng) -> Letter:
    variants = tracks.letters[writer][character]
    return variants[int(rng.integers(len(variants)))]


def _vary(letter: Letter, style: PenStyle, height: float, rng: Rng) -> Letter:
    """A new shape of the letter: size, turn and slow bends of its tracks."""
    turn = math.radians(float(rng.normal(0, style.turn_deg)))
    scale_x = style.width * float(np.exp(rng.normal(0, 0.08)))
    scale_y = height * float(np.exp(rng.normal(0, 0.07)))
    phases, waves = rng.uniform(0, 2 * math.pi, 4), rng.uniform(1.5, 4.5, 4)
    lift = float(rng.normal(0, style.wander))
    varied = []
    for track in letter:
        x, y = track[:, 0] * scale_x, track[:, 1] * scale_y
        y = np.where(y < -1, -1 + (y + 1) * style.ascent, np.where(y > 0, y * style.ascent, y))
        bend_x = np.sin(waves[0] * y + phases[0]) + np.sin(waves[1] * x + phases[1])
        bend_y = np.sin(waves[2] * x + phases[2]) + np.sin(waves[3] * y + phases[3])
        x, y = x + style.shake * bend_x, y + style.shake * bend_y
        turned = np.stack(
            [x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn) + lift], 1
        )
        varied.append(turned.astype(np.float32))
    return tuple(varied)


def _body(letter: Letter) -> tuple[float, float]:
    """Left and right end of what stands between baseline and x-height: tails may pass under neighbours."""
    points = np.concatenate(letter)
    body = points[(points[:, 1] > -1.15) & (points[:, 1] < 0.15)]
    return _reach((body if len(body) > 1 else points,))


def _reach(letter: Letter) -> tuple[float, float]:
    columns = np.concatenate(letter)[:, 0]
    return float(columns.min()), float(columns.max())


def _space_before(width: float, style: PenStyle, rng: Rng) -> float:
    """From where the pen is to the body of the next letter."""
    if not style.cell:
        return style.gap * float(rng.uniform(0.3, 1.7))
    return (style.cell - width) / 2 + float(rng.normal(0, 0.08)) * style.cell


def _round_corners(track: Track, style: PenStyle) -> Track:
    """Douglas-Peucker down to straight pieces, then Chaikin's corner cutting."""
    if style.polygonal > 0 and len(track) > 2:
        track = cv2.approxPolyDP(track[:, None], style.polygonal, False)[:, 0]
    for _ in range(style.smoothing if len(track) > 2 else 0):
        near, far = track[:-1] * 0.75 + track[1:] * 0.25, track[:-1] * 0.25 + track[1:] * 0.75
        inner = np.stack([near, far], 1).reshape(-1, 2)
        track = np.concatenate([track[:1], inner, track[-1:]])
    return track


def _draw(text: str, strokes: Sequence[Track], spans: Boxes, style: PenStyle, rng: Rng) -> TextInk:
    unit = style.x_height_px
    lean = np.array([[unit, 0], [-unit * math.tan(math.radians(style.slant_deg)), unit]], np.float32)
    drawn = [_round_corners(rounded(track, style.fluency), style) for track in strokes]
    lines = [track @ lean for track in drawn] or [np.zeros((1, 2), np.float32)]
    margin = style.pen_px + 2
    extent = np.concatenate(lines)
    low = extent.min(0) - margin
    low[1] = min(low[1], -1.5 * unit)
    high = np.maximum(extent.max(0) + margin, [float(spans[:, 2].max()) * unit, 0.45 * unit])
    width, height = (int(v) for v in np.ceil(high - low))
    canvas = np.zeros((height * _OVERSAMPLING, width * _OVERSAMPLING), np.uint8)
    for line in lines:
        _stroke(canvas, (line - low) * _OVERSAMPLING, style, rng)
    mask: Mask = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    boxes = spans * unit - np.concatenate([low, low]).astype(np.float32)
    middle = (spans[:, 1] + spans[:, 3]) / 2 * -math.tan(math.radians(style.slant_deg)) * unit
    boxes[:, 0] += middle
    boxes[:, 2] += middle
    return TextInk(mask, boxes.astype(np.float32), float(-low[1]), text)


def _stroke(canvas: Mask, line: Track, style: PenStyle, rng: Rng) -> None:
    """A pen of even width, or, with ``nib``, one that thickens on the way down."""
    shift = 4
    points = np.rint(line * (1 << shift)).astype(np.int32)
    thickness = style.pen_px * _OVERSAMPLING * float(rng.uniform(0.9, 1.1))
    if style.nib <= 0.05 or len(points) < 2:
        cv2.polylines(canvas, [points[:, None]], False, 255, max(1, round(thickness)), cv2.LINE_AA, shift)
        return
    steps = np.diff(line, axis=0)
    down = steps[:, 1] / np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-3)
    widths = np.maximum(1, np.rint(thickness * (1 + style.nib * down))).astype(int).tolist()
    for start, end, wide in zip(points[:-1].tolist(), points[1:].tolist(), widths, strict=True):
        cv2.line(canvas, start, end, 255, wide, cv2.LINE_AA, shift)
