"""Draws line recipes: which text, in which face or hand, printed how, cropped how, scanned how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from deployments.types import Kind
from training.synth.alphabet import normalise
from training.synth.corpora import (
    HANDWRITTEN_MIX,
    PRINTED_MIX,
    RECEIPT_MIX,
    TYPED_MIX,
    Corpus,
    Language,
    draw_kind,
)
from training.synth.degrade import sample_degradation
from training.synth.face_choice import FaceChoice, script_of
from training.synth.fonts import FontFace, Split, catalogue
from training.synth.framing import Framing, sample_framing
from training.synth.hands import in_cells, sample_pen
from training.synth.handwriting import TrackSet, load_tracks
from training.synth.ink import InkStyle
from training.synth.pens import Pens
from training.synth.processes import Process
from training.synth.recipes import LineSpec, PenRun, Run, Wobble

Rng = np.random.Generator

_HANDWRITTEN_RUSSIAN, _PRINTED_RUSSIAN = 0.65, 0.55
_HANDWRITTEN_MAX_CHARS = 70
# Answers on forms are a word or two, and their few letters leave a reader nothing to guess from.
_ANSWER_SHARE, _ANSWER_MAX_CHARS = 0.4, 16
# Combs of forms, a character in each cell: share of handwriting; of these in capitals, with cells drawn.
_COMB_SHARE, _COMB_CAPITALS, _COMB_DRAWN = 0.06, 0.75, 0.8
_COMB_MAX_CHARS = 28
_SIZES_PX = (30, 36, 44, 52)
_RECEIPT: frozenset[Process] = frozenset({"dots", "bitmap", "thermal"})
_TYPED: frozenset[Process] = frozenset({"typewriter", "carbon"})
_PRINT_PROCESSES: dict[Process, float] = {
    "laser": 0.27,
    "book": 0.18,
    "typewriter": 0.15,
    "carbon": 0.07,
    "dots": 0.07,
    "bitmap": 0.08,
    "thermal": 0.1,
    "fax": 0.08,
}
_HAND_PROCESSES: dict[Process, float] = {
    "pen": 0.66,
    "pencil": 0.12,
    "fax": 0.1,
    "book": 0.07,
    "carbon": 0.05,
}


class LineSampler:
    """Draws line recipes from a corpus and a font catalogue.

    ``handwritten_share`` is the share of handwriting, the rest is print. ``tracks`` are pen tracks
    of Cyrillic letters; without them all handwriting comes from script faces.
    """

    def __init__(
        self,
        corpus: Corpus,
        faces: Sequence[FontFace],
        handwritten_share: float = 0.35,
        tracks: TrackSet | None = None,
    ) -> None:
        self._corpus = corpus
        self._faces = FaceChoice(faces)
        self._handwritten_share = handwritten_share
        self._pens = Pens(faces, tracks)

    def sample(self, rng: Rng) -> LineSpec:
        handwritten = rng.random() < self._handwritten_share
        russian = _HANDWRITTEN_RUSSIAN if handwritten else _PRINTED_RUSSIAN
        language: Language = "ru" if rng.random() < russian else "en"
        return self._handwritten(rng, language) if handwritten else self._printed(rng, language)

    def _printed(self, rng: Rng, language: Language) -> LineSpec:
        process = _draw(rng, _PRINT_PROCESSES)
        mix = RECEIPT_MIX if process in _RECEIPT else TYPED_MIX if process in _TYPED else PRINTED_MIX
        text = self._corpus.text(rng, language, draw_kind(rng, mix))
        size_px = int(rng.choice(_SIZES_PX))
        wobble = Wobble(wave=0.01 if rng.random() < 0.2 else 0.0)
        return LineSpec(
            runs=self._runs(rng, text, size_px, process),
            pen=None,
            kind=Kind.PRINTED,
            language=language,
            style=_print_style(rng, size_px),
            wobble=Wobble(0.012, 0.022, 0.7, 0.01, 0.16) if process in _TYPED else wobble,
            process=process,
            process_strength=float(rng.beta(1.2, 1.8)),
            framing=_print_framing(rng, process),
            degradation=sample_degradation(rng, rough=float(rng.beta(1.2, 2.2))),
            seed=int(rng.integers(2**62)),
        )

    def _handwritten(self, rng: Rng, language: Language) -> LineSpec:
        kind = draw_kind(rng, HANDWRITTEN_MIX)
        longest = _ANSWER_MAX_CHARS if rng.random() < _ANSWER_SHARE else _HANDWRITTEN_MAX_CHARS
        text = self._corpus.text(rng, language, kind, longest, plain=True)
        comb = rng.random() < _COMB_SHARE and len(text) <= _COMB_MAX_CHARS
        text = _comb_case(rng, text) if comb else _hand_case(rng, text)
        size_px = int(rng.choice(_SIZES_PX))
        level = float(rng.gamma(2.0, 0.5))
        pen: PenRun | None = None
        runs: tuple[Run, ...] = ()
        if (tracks := self._pens.draw(rng, language)) is not None:
            written = normalise(text, tracks.characters) or "0"
            hand = sample_pen(rng, tracks)
            pen = PenRun(written, in_cells(rng, hand) if comb else hand, tracks)
            level = min(level, 1.0)
        else:
            face = self._faces.hand(rng, script_of(text))
            runs = (_run(text, face, size_px),)
            level = max(level, 1.2) if face.style == "printed" else level
        process = _draw(rng, _HAND_PROCESSES)
        return LineSpec(
            runs=runs,
            pen=pen,
            kind=Kind.HANDWRITTEN,
            language=language,
            style=_in_cells(rng, _hand_style(rng, size_px), size_px) if comb else _hand_style(rng, size_px),
            wobble=_hand_wobble(level),
            process=process,
            process_strength=float(rng.beta(1.5, 1.5)) * (0.35 if process == "fax" else 1.0),
            framing=_comb_framing(rng) if comb else _hand_framing(rng),
            degradation=sample_degradation(rng, rough=float(rng.beta(1.2, 2.6))),
            seed=int(rng.integers(2**62)),
        )

    def _runs(self, rng: Rng, text: str, size_px: int, process: Process) -> tuple[Run, ...]:
        """Print now and then changes face within a line: bold and italic words, code, note marks."""
        face = self._faces.printed(rng, script_of(text), process)
        whole = _run(text, face, size_px)
        words = whole.text.split(" ")
        if process not in ("laser", "book") or len(words) < 3 or rng.random() > 0.2:
            return (whole,)
        first, last = sorted(rng.integers(0, len(words) + 1, 2).tolist())
        middle = " ".join(words[first:last])
        other = self._faces.printed(rng, script_of(middle), process)
        pieces = [(words[:first], face), (words[first:last], other), (words[last:], face)]
        runs = [_run(" ".join(part), drawn, size_px) for part, drawn in pieces if part]
        runs = [replace(run, text=run.text + " ") for run in runs[:-1]] + runs[-1:]
        if rng.random() < 0.15 and {"1", "2"} <= face.characters:
            mark = normalise(str(int(rng.integers(1, 30))), face.characters)
            runs.insert(0, Run(mark, face, round(size_px * 0.62), 0.33 * size_px))
        return tuple(runs)


def _run(text: str, face: FontFace, size_px: int) -> Run:
    return Run(normalise(text, face.characters) or "0", face, size_px)


def _print_style(rng: Rng, size_px: int) -> InkStyle:
    usual = rng.random() < 0.9
    spacing = np.clip(rng.normal(0, 0.015), -0.035, 0.3) if usual else rng.uniform(0.1, 0.5)
    words = max(rng.normal(0.02, 0.08), -0.06) if rng.random() < 0.5 else 0.0
    return InkStyle(
        letter_spacing_px=float(spacing) * size_px,
        word_spacing_px=float(words) * size_px,
        slant_deg=float(rng.normal(0, 4)) if rng.random() < 0.08 else 0.0,
        weight_px=float(np.clip(rng.normal(0.15, 0.6), -0.9, 2.0)) * size_px / 40,
    )


def _hand_style(rng: Rng, size_px: int) -> InkStyle:
    return InkStyle(
        letter_spacing_px=float(np.clip(rng.normal(0, 0.03), -0.05, 0.12)) * size_px,
        word_spacing_px=float(rng.uniform(-0.05, 0.5)) * size_px,
        slant_deg=float(np.clip(rng.normal(7, 14), -25, 42)),
        weight_px=float(np.clip(rng.normal(0.4, 0.8), -0.4, 2.6)) * size_px / 40,
    )


def _hand_wobble(level: float) -> Wobble:
    return Wobble(
        shift_x=0.008 * level,
        shift_y=0.025 * level,
        rotation_deg=2.5 * level,
        scale=0.045 * level,
        density=0.05,
        bend=0.028 * level,
        wave=0.02 * level,
    )


def _print_framing(rng: Rng, process: Process) -> Framing:
    """Till printers set letters narrow and tall, or at double width."""
    framing = sample_framing(rng, handwritten=False)
    if process in _RECEIPT and rng.random() < 0.5:
        return replace(framing, stretch=float(np.clip(np.exp(rng.normal(-0.15, 0.25)), 0.55, 1.6)))
    return framing


def _hand_framing(rng: Rng) -> Framing:
    """Fast hands run wide."""
    return replace(sample_framing(rng, handwritten=True), stretch=float(np.exp(rng.normal(0.08, 0.2))))


def _in_cells(rng: Rng, style: InkStyle, size_px: int) -> InkStyle:
    return replace(style, letter_spacing_px=float(rng.uniform(0.25, 0.8)) * size_px, word_spacing_px=0.0)


def _comb_framing(rng: Rng) -> Framing:
    framing = _hand_framing(rng)
    return replace(framing, rules=("cells",)) if rng.random() < _COMB_DRAWN else framing


def _comb_case(rng: Rng, text: str) -> str:
    return text.upper() if rng.random() < _COMB_CAPITALS else text


def _hand_case(rng: Rng, text: str) -> str:
    """People rarely write whole lines in joined capitals."""
    if len(text) > 4 and text.isupper() and rng.random() < 0.7:
        return text.capitalize() if rng.random() < 0.5 else text.lower()
    return text


def _draw(rng: Rng, shares: dict[Process, float]) -> Process:
    names = list(shares)
    return names[int(rng.choice(len(names), p=np.array(list(shares.values())) / sum(shares.values())))]


@lru_cache(maxsize=4)
def shared_sampler(
    fonts: Path, texts: Path, handwritten_share: float, tracks: Path | None, split: Split
) -> LineSampler:
    """One sampler a process: loading fonts and texts takes longer than thousands of lines."""
    hands = load_tracks(tracks) if tracks is not None else None
    return LineSampler(Corpus(texts, split), catalogue(fonts, split), handwritten_share, hands)
