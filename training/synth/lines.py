"""Single lines of text as a detector would crop them: :func:`apply` cooks what ``sampler`` drew."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from deployments.types import Kind
from training.synth.corpora import Language
from training.synth.degrade import Degradation, scan
from training.synth.framing import frame
from training.synth.handwriting import write
from training.synth.ink import TextInk, glyph, join, render_text
from training.synth.noise import elastic, padded
from training.synth.processes import develop
from training.synth.recipes import LineSpec, Run, Wobble

HEIGHT_PX = 48
MAX_WIDTH_PX = 2600
_LEGIBLE_X_HEIGHT_PX = {Kind.PRINTED: 5.0, Kind.HANDWRITTEN: 7.0}


@dataclass(frozen=True, slots=True)
class LineSample:
    """``image``: grey uint8 ``(48, W)``."""

    image: npt.NDArray[np.uint8]
    text: str
    kind: Kind
    language: Language


def apply(spec: LineSpec) -> LineSample:
    """The image and label of ``spec``; the same spec gives the same bytes.

    Raises ``ValueError`` for a line that comes out wider than ``MAX_WIDTH_PX``.
    """
    rng = np.random.default_rng(spec.seed)
    ink, x_height_px = _clean_ink(spec, rng)
    margin = round(x_height_px * 0.6)
    mask = padded(ink.mask, margin)
    if spec.wobble.bend or spec.wobble.wave:
        em_px = 2 * x_height_px
        bend = spec.wobble.bend * em_px
        mask = elastic(mask, rng, em_px * float(rng.uniform(0.3, 1.1)), bend, spec.wobble.wave * em_px)
    mask = develop(mask, spec.process, spec.process_strength, x_height_px, rng)
    printed = TextInk(mask, ink.char_boxes + margin, ink.baseline_y + margin, ink.text)
    coverage, scale = frame(printed, x_height_px, spec.framing, HEIGHT_PX, rng)
    if coverage.shape[1] > MAX_WIDTH_PX:
        raise ValueError(f"line of {coverage.shape[1]} px: {spec.text!r}")
    image = scan(coverage, _still_legible(spec, x_height_px * scale), rng)
    return LineSample(image, spec.text.strip(), spec.kind, spec.language)


def _clean_ink(spec: LineSpec, rng: np.random.Generator) -> tuple[TextInk, float]:
    """Perfect ink of the text, and the x-height of its letters in pixels."""
    if spec.pen is not None:
        return write(spec.pen.text, spec.pen.tracks, spec.pen.style, rng), spec.pen.style.x_height_px
    inks = [_set_run(run, spec, rng) for run in spec.runs]
    ink = inks[0] if len(inks) == 1 else join(inks, [run.raise_px for run in spec.runs])
    last = spec.runs[-1]
    return ink, float(max(6, glyph(last.face.path, last.size_px, "x").mask.shape[0]))


def _still_legible(spec: LineSpec, x_height_px: float) -> Degradation:
    """The scan, at a resolution that leaves the letters enough pixels for a person to read them."""
    needed = _LEGIBLE_X_HEIGHT_PX[spec.kind]
    lowest = math.ceil(HEIGHT_PX * needed / max(x_height_px, 1.0))
    low = spec.degradation.low_height_px
    return replace(spec.degradation, low_height_px=max(low, lowest)) if 0 < low < lowest else spec.degradation


def _set_run(run: Run, spec: LineSpec, rng: np.random.Generator) -> TextInk:
    jitter = _jitter(spec.wobble, len(run.text), run.size_px, rng)
    return render_text(run.text, run.face, run.size_px, replace(spec.style, jitter=jitter))


def _jitter(
    wobble: Wobble, count: int, size_px: int, rng: np.random.Generator
) -> npt.NDArray[np.float32] | None:
    if not (wobble.shift_x or wobble.shift_y or wobble.rotation_deg or wobble.density):
        return None
    shifts = (wobble.shift_x * size_px, wobble.shift_y * size_px)
    spread = np.array([*shifts, wobble.rotation_deg, wobble.scale, wobble.density], np.float32)
    jitter = np.clip(rng.standard_normal((count, 5), dtype=np.float32), -2.5, 2.5) * spread
    jitter[:, 3] += 1.0
    jitter[:, 4] = np.clip(1.0 - np.abs(jitter[:, 4]), 0.35, 1.0)
    return jitter
