"""From the posteriors of a CTC network to text with confidences.

Letters: T time steps, V symbols with the blank at 0. Greedy decoding is best-path decoding of
Graves et al., "Connectionist Temporal Classification" (2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deployments.confidence import mean_confidence
from deployments.recognition.charset import BLANK, Charset
from deployments.recognition.consistency import CONSISTENT, Consistency, Letter, Posteriors, unify
from deployments.types import Reading

Span = tuple[float, float]

_SPACE_LAG_STEPS = 0.5
_USUAL_LETTER_STEPS = 3.0
_WIDE_LETTER = 1.2


@dataclass(frozen=True, slots=True)
class LinePosteriors:
    """What a CTC network says of one line.

    ``steps``: probabilities ``(T, V)``. ``content_steps``: how many of them, not a whole number, the
    crop itself spans; the steps beyond are padding. ``looks``: of a line that was looked at in several
    ways, what each look gave: as it was cut or sharpened, with paper below, widened; ``steps`` are then
    the mean of the first two, since the last has steps of its own.
    """

    steps: Posteriors
    content_steps: float
    looks: tuple[LinePosteriors, ...] = ()


def read_greedily(
    posteriors: Posteriors,
    charset: Charset,
    consistency: Consistency = CONSISTENT,
    content_steps: float | None = None,
) -> Reading:
    """Best-path text of one line.

    Args:
        posteriors: ``(T, V)`` float32 probabilities.
        charset: the symbols of V.
        consistency: in what the letters of a word agree; see :mod:`deployments.recognition.consistency`.
        content_steps: time steps that the crop spans, the rest being padding; None: all T.

    Returns:
        Text with single inner spaces; a character's confidence is the largest probability of its
        symbol over its run.
    """
    return _reading(_runs(posteriors, charset), posteriors, charset, consistency, content_steps)


def read_characters(
    characters: Sequence[tuple[int, int]],
    posteriors: Posteriors,
    charset: Charset,
    consistency: Consistency = CONSISTENT,
    content_steps: float | None = None,
) -> Reading:
    """Reading of a text that a search found: symbol index and time step of each character.

    A character's confidence is the probability of its symbol at its step; the rest as in
    :func:`read_greedily`.
    """
    letters, start = [], 0
    for index, step in characters:
        # Where little is sure, a character may be likeliest before the one it follows.
        start = max(start, step)
        letters.append(Letter(charset.symbol(index), float(posteriors[step, index]), start, start + 1))
    return _reading(letters, posteriors, charset, consistency, content_steps)


def _reading(
    letters: list[Letter],
    posteriors: Posteriors,
    charset: Charset,
    consistency: Consistency,
    content_steps: float | None,
) -> Reading:
    unify(letters, posteriors, charset, consistency)
    symbols = [letter.symbol for letter in letters]
    spans = spans_of(
        symbols,
        [letter.start for letter in letters],
        len(posteriors) if content_steps is None else content_steps,
    )
    return reading_of([(letter.symbol, letter.confidence) for letter in letters], spans)


def reading_of(characters: Sequence[tuple[str, float]], spans: Sequence[Span] = ()) -> Reading:
    """Reading of characters with confidences: outer and doubled spaces dropped, geometric mean.

    ``spans``: as :attr:`Reading.char_spans`, one a character or none.
    """
    kept: list[int] = []
    for i, (symbol, _) in enumerate(characters):
        if symbol != " " or (kept and characters[kept[-1]][0] != " "):
            kept.append(i)
    if kept and characters[kept[-1]][0] == " ":
        kept.pop()
    if not kept:
        return Reading("", 0.0)
    confidences = tuple(min(max(characters[i][1], 0.0), 1.0) for i in kept)
    text = "".join(characters[i][0] for i in kept)
    return Reading(
        text, mean_confidence(confidences), confidences, tuple(spans[i] for i in kept) if spans else ()
    )


def _runs(posteriors: Posteriors, charset: Charset) -> list[Letter]:
    best = posteriors.argmax(axis=1)
    if best.size == 0:
        return []
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], best.size)
    return [
        Letter(charset.symbol(int(best[s])), float(posteriors[s:e, best[s]].max()), int(s), int(e))
        for s, e in zip(starts, ends, strict=True)
        if best[s] != BLANK
    ]


def spans_of(symbols: Sequence[str], begins: Sequence[int], content_steps: float) -> list[Span]:
    """Where the letters of a line stand, as fractions of the crop's width.

    ``begins``: the time step at which CTC marks each letter, in order; ``content_steps``: time steps
    that the crop spans. A run starts where its letter does (within half a step, a pixel or two, on
    the shipped weight) and is shorter than it: the rest is blanks. So a letter ends where the next
    run starts. The last one is as wide as the line's usual letter; the first is often marked in the
    margin before it, so its width is bounded by that too.
    """
    if not symbols:
        return []
    starts = [
        begin - _SPACE_LAG_STEPS * (symbol == " ") for symbol, begin in zip(symbols, begins, strict=True)
    ]
    marks = zip(symbols, begins, strict=True)
    advances = [b - a for (one, a), (other, b) in pairwise(marks) if " " not in (one, other)]
    usual = float(np.median(advances)) if advances else _USUAL_LETTER_STEPS
    end = max(starts[-1] + usual, begins[-1] + 1)
    starts[0] = max(starts[0], (*starts, end)[1] - _WIDE_LETTER * usual)
    # A space that is likeliest at the step of the letter before it would begin before that one.
    edges = np.maximum.accumulate([*starts, end])
    return list(pairwise(np.clip(edges / max(content_steps, 1.0), 0.0, 1.0).tolist()))
