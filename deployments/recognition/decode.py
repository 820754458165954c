"""From the posteriors of a CTC network to text with confidences.

Letters: T time steps, V symbols with the blank at 0. Greedy decoding is best-path decoding of
Graves et al., "Connectionist Temporal Classification" (2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.recognition.charset import BLANK, Charset
from deployments.types import Reading

Posteriors = npt.NDArray[np.float32]

_TWINS = dict(zip("ABCEHKMOPTXaceopxy", "АВСЕНКМОРТХасеорху", strict=True))
_TWIN_OF = _TWINS | {cyrillic: latin for latin, cyrillic in _TWINS.items()}
_FLOOR = 1e-6


@dataclass(slots=True)
class _Letter:
    """A run of one symbol on the best path: steps ``[start, end)``."""

    symbol: str
    confidence: float
    start: int
    end: int


def read_greedily(posteriors: Posteriors, charset: Charset, script_consistency: bool = True) -> Reading:
    """Best-path text of one line.

    Args:
        posteriors: ``(T, V)`` float32 probabilities.
        charset: the symbols of V.
        script_consistency: write no word with look-alike letters of two scripts; see
            :func:`unify_scripts`.

    Returns:
        Text with single inner spaces; a character's confidence is the largest probability of its
        symbol over its run.
    """
    letters = _runs(posteriors, charset)
    if script_consistency:
        for word in _words(letters):
            unify_scripts(word, posteriors, charset)
    return reading_of([(letter.symbol, letter.confidence) for letter in letters])


def reading_of(characters: Sequence[tuple[str, float]]) -> Reading:
    """Reading of characters with confidences: outer and doubled spaces dropped, geometric mean."""
    kept: list[tuple[str, float]] = []
    for symbol, confidence in characters:
        if symbol != " " or (kept and kept[-1][0] != " "):
            kept.append((symbol, min(max(confidence, 0.0), 1.0)))
    if kept and kept[-1][0] == " ":
        kept.pop()
    if not kept:
        return Reading("", 0.0)
    confidences = tuple(confidence for _, confidence in kept)
    mean = math.exp(sum(math.log(max(c, _FLOOR)) for c in confidences) / len(confidences))
    return Reading("".join(symbol for symbol, _ in kept), mean, confidences)


def unify_scripts(word: list[_Letter], posteriors: Posteriors, charset: Charset) -> None:
    """Write the twins of a word (Latin ``o`` and Cyrillic ``о``) in the script the word is in.

    A shape that both scripts share is decided by its word, not by itself: for each script the
    log posteriors of the word's letters in that script are summed (a letter that the script lacks
    counts as a posterior of ``1e-6``), the larger sum is the script of the word, and every twin is
    rewritten to it. Words without letters of both scripts are left alone, and letters without a
    twin always are, so a truly mixed word keeps them. A rewritten letter's confidence is that of
    the shape: the probability of the two twins together.
    """
    scripts = {_script(letter.symbol) for letter in word}
    if scripts != {"latin", "cyrillic"}:
        return
    evidence = {"latin": 0.0, "cyrillic": 0.0}
    for letter in word:
        own = _script(letter.symbol)
        other = "latin" if own == "cyrillic" else "cyrillic"
        evidence[own] += math.log(max(letter.confidence, _FLOOR))
        evidence[other] += math.log(max(_twin_confidence(letter, posteriors, charset), _FLOOR))
    chosen = max(evidence, key=evidence.__getitem__)
    for letter in word:
        if letter.symbol in _TWIN_OF and _script(letter.symbol) != chosen:
            letter.confidence += _twin_confidence(letter, posteriors, charset)
            letter.symbol = _TWIN_OF[letter.symbol]


def _runs(posteriors: Posteriors, charset: Charset) -> list[_Letter]:
    best = posteriors.argmax(axis=1)
    if best.size == 0:
        return []
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], best.size)
    return [
        _Letter(charset.symbol(int(best[s])), float(posteriors[s:e, best[s]].max()), int(s), int(e))
        for s, e in zip(starts, ends, strict=True)
        if best[s] != BLANK
    ]


def _words(letters: list[_Letter]) -> list[list[_Letter]]:
    """Maximal runs of letters: digits, punctuation and hyphens part words too."""
    words: list[list[_Letter]] = [[]]
    for letter in letters:
        if letter.symbol.isalpha():
            words[-1].append(letter)
        elif words[-1]:
            words.append([])
    return [word for word in words if word]


def _twin_confidence(letter: _Letter, posteriors: Posteriors, charset: Charset) -> float:
    twin = _TWIN_OF.get(letter.symbol, "")
    if twin not in charset:
        return 0.0
    return float(posteriors[letter.start : letter.end, charset.index(twin)].max())


def _script(symbol: str) -> str:
    return "cyrillic" if "\u0400" <= symbol <= "\u04ff" else "latin"
