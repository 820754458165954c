"""Rules of forms that run through the answers: lines to write on, dots, dashes, frames, the cells of combs.

They are printed before the pen comes, and stand on the answer's baseline, over its tails and beside its
letters; a reader that never saw them reads dots as full stops and the sides of a frame as letters. Like
``paper_augment`` this varies a cached line at every visit, real ones too: ``sample`` draws, ``apply`` is
deterministic given what was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import Grey
from deployments.recognition.preprocess import paper_and_ink
from deployments.types import Kind
from training.paper_augment import under_ink

Plane = npt.NDArray[np.float32]
Pattern = Literal["solid", "dots", "dashes"]

# Shares of lines that stand on a form, and of these: on a line to write on, in a frame; the rest in combs.
_ON_FORMS = {Kind.HANDWRITTEN: 0.35, Kind.PRINTED: 0.16}
_LINE = {Kind.HANDWRITTEN: 0.5, Kind.PRINTED: 0.25}
_FRAME = {Kind.HANDWRITTEN: 0.4, Kind.PRINTED: 0.72}
_PATTERNS: tuple[Pattern, ...] = ("solid", "dots", "dashes")
_SHIFT = 3


@dataclass(frozen=True, slots=True)
class FormRules:
    """One draw. Lengths are shares of the line's height, ``darkness`` of the way from paper to ink.

    ``baseline`` and ``top`` are heights from above at which rules run along the line, ``left`` and ``right``
    how far beyond its ends upright ones stand; ``None`` where there is none. ``beyond`` is the paper that is
    seen on the far sides of those. ``cell`` is the distance between the dividers of a comb and ``tooth`` how
    far they stand up from the baseline; without a comb there are no cells, 0.
    """

    baseline: float | None = None
    pattern: Pattern = "solid"
    period: float = 0.15
    top: float | None = None
    left: float | None = None
    right: float | None = None
    beyond: float = 0.0
    cell: float = 0.0
    tooth: float = 1.0
    thickness: float = 0.03
    darkness: float = 0.6
    tilt: float = 0.0


def sample(rng: np.random.Generator, kind: Kind) -> FormRules | None:
    """Draw the rules for a line of this kind; None: it stands on no form."""
    if rng.random() >= _ON_FORMS[kind]:
        return None
    line, frame_up_to = _LINE[kind], _LINE[kind] + _FRAME[kind]
    roll = rng.random()
    thickness, darkness = float(rng.uniform(0.012, 0.06)), float(rng.uniform(0.25, 1.0))
    tilt = float(rng.normal(0, 0.004))
    if roll < line:
        return FormRules(
            baseline=float(rng.uniform(0.55, 0.98)),
            pattern=_PATTERNS[int(rng.choice(3, p=(0.5, 0.38, 0.12)))],
            period=float(rng.uniform(0.07, 0.28)),
            thickness=thickness,
            darkness=darkness,
            tilt=tilt,
        )
    frame = FormRules(
        baseline=_side(rng, 0.85, 1.0, present=0.4),
        top=_side(rng, 0.0, 0.12, present=0.4),
        left=_side(rng, 0.0, 0.3, present=0.7),
        right=_side(rng, 0.0, 0.3, present=0.5),
        beyond=float(rng.uniform(0.0, 0.25)),
        thickness=thickness,
        darkness=darkness,
        tilt=tilt,
    )
    return frame if roll < frame_up_to else _comb(frame, rng)


def _side(rng: np.random.Generator, low: float, high: float, present: float) -> float | None:
    return float(rng.uniform(low, high)) if rng.random() < present else None


def _comb(frame: FormRules, rng: np.random.Generator) -> FormRules:
    """The frame's foot with teeth. They cannot know where letters end, so they are thin or short."""
    return FormRules(
        baseline=frame.baseline or 0.9,
        cell=float(rng.uniform(0.5, 1.3)),
        tooth=float(rng.uniform(0.1, 0.35) if rng.random() < 0.7 else 1.0),
        thickness=frame.thickness / 2,
        darkness=frame.darkness,
        tilt=frame.tilt,
    )


def apply(grey: Grey, rules: FormRules) -> Grey:
    """The line ``(H, W)`` with the rules under its ink, which stays as dark as it is; wider for its sides."""
    levels = paper_and_ink(grey)
    left, right = (round(pad * grey.shape[0]) for pad in _pads(rules))
    grey = np.asarray(
        cv2.copyMakeBorder(grey, 0, 0, left, right, cv2.BORDER_CONSTANT, value=float(levels[0])), np.uint8
    )
    print_ = _covered(grey.shape, rules) * np.float32(rules.darkness)
    return np.asarray(np.clip(under_ink(grey.astype(np.float32), levels, print_), 0, 255), np.uint8)


def field_of_form(number: int) -> FormRules:
    """One of four kinds of fields by turns: a line, dots, a frame, sides; as dark as ink, or nearly."""
    fields = (
        FormRules(baseline=0.8, darkness=0.85),
        FormRules(baseline=0.8, pattern="dots", period=0.1, thickness=0.05, darkness=0.85),
        FormRules(baseline=0.96, top=0.04, left=0.05, right=0.05, beyond=0.05, darkness=0.85),
        FormRules(left=0.1, right=0.1, beyond=0.05, darkness=0.85),
    )
    return fields[number % len(fields)]


def _covered(shape: tuple[int, ...], rules: FormRules) -> Plane:
    """Share of each pixel that rules cover."""
    height, width = shape
    canvas = np.zeros(shape, np.uint8)
    thick = max(1, round(rules.thickness * height))
    foot = height if rules.baseline is None else rules.baseline * height
    head = 0.0 if rules.top is None else rules.top * height
    fall = rules.tilt * width
    if rules.baseline is not None:
        _along(canvas, foot - fall / 2, foot + fall / 2, thick, rules)
    if rules.top is not None:
        _line(canvas, (0, head - fall / 2), (width, head + fall / 2), thick)
    for x in _uprights(width, height, rules):
        start = head if rules.tooth >= 1 else foot - rules.tooth * height
        _line(canvas, (x, start), (x, foot), thick)
    return np.asarray(canvas.astype(np.float32) / 255, np.float32)


def _pads(rules: FormRules) -> tuple[float, float]:
    """Paper to add on the left and on the right, shares of the height."""
    sides = (rules.left, rules.right)
    left, right = (0.0 if side is None else side + rules.thickness + rules.beyond for side in sides)
    return left, right


def _uprights(width: int, height: int, rules: FormRules) -> list[float]:
    """Columns of the sides and of the teeth."""
    if rules.cell:
        return np.arange(rules.cell / 2 * height, width, rules.cell * height).tolist()
    from_end = (rules.beyond + rules.thickness / 2) * height
    left = [] if rules.left is None else [from_end]
    return left if rules.right is None else [*left, width - from_end]


def _along(canvas: Grey, start_y: float, end_y: float, thick: int, rules: FormRules) -> None:
    height, width = canvas.shape
    if rules.pattern == "solid":
        _line(canvas, (0, start_y), (width, end_y), thick)
        return
    period = max(rules.period * height, 2.0 * thick)
    dash = max(period / 2 - thick, 0.0)  # Its ends are round.
    for x in np.arange(period / 2, width, period):
        y = start_y + (end_y - start_y) * x / width
        if rules.pattern == "dashes":
            _line(canvas, (x - dash / 2, y), (x + dash / 2, y), thick)
        else:
            centre = (round(x * (1 << _SHIFT)), round(y * (1 << _SHIFT)))
            cv2.circle(canvas, centre, round(thick * (1 << _SHIFT) / 2), 255, -1, cv2.LINE_AA, _SHIFT)


def _line(canvas: Grey, start: tuple[float, float], end: tuple[float, float], thick: int) -> None:
    ends = [(round(x * (1 << _SHIFT)), round(y * (1 << _SHIFT))) for x, y in (start, end)]
    cv2.line(canvas, ends[0], ends[1], 255, thick, cv2.LINE_AA, _SHIFT)
