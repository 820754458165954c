"""Letters of one word agree: in their script and in their case.

A shape that two symbols share (Latin ``o`` and Cyrillic ``о``, small ``к`` and capital ``К`` of a hand)
is decided by its word and not by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.confidence import FLOOR
from deployments.recognition.charset import Charset

Posteriors = npt.NDArray[np.float32]
"""Probabilities ``(T, V)`` of a CTC network."""

_TWINS = dict(zip("ABCEHKMOPTXaceopxy", "АВСЕНКМОРТХасеорху", strict=True))
_TWIN_OF = _TWINS | {cyrillic: latin for latin, cyrillic in _TWINS.items()}
# In nats: how much surer the letters of a word in mixed case (LibreOffice) must be as they were read.
# From 2.5 on the labelled sets read much the same; beyond that more words lose capitals they have.
_MIXED_CASE_COST = 3.0


@dataclass(frozen=True, slots=True)
class Consistency:
    """In what the letters of a word are made to agree."""

    script: bool = True
    case: bool = True


CONSISTENT = Consistency()


@dataclass(slots=True)
class Letter:
    """A character that was read: its symbol, how sure it is, and its time steps ``[start, end)``."""

    symbol: str
    confidence: float
    start: int
    end: int


def unify(
    letters: Sequence[Letter], posteriors: Posteriors, charset: Charset, consistency: Consistency
) -> None:
    """Write every word of a line in one script, then in one case; letters are changed in place."""
    for word in _words(letters):
        if consistency.script:
            unify_script(word, posteriors, charset)
        if consistency.case:
            unify_case(word, posteriors, charset)


def unify_script(word: Sequence[Letter], posteriors: Posteriors, charset: Charset) -> None:
    """Write the twins of a word (Latin ``o`` and Cyrillic ``о``) in the script the word is in.

    For each script the log posteriors of the word's letters in that script are summed (a letter that
    the script lacks counts as a posterior of ``1e-6``), the larger sum is the script of the word, and
    every twin is rewritten to it. Words without letters of both scripts are left alone, and letters
    without a twin always are, so a truly mixed word keeps them. A rewritten letter's confidence is
    that of the shape: the probability of the two twins together.
    """
    scripts = {_script(letter.symbol) for letter in word}
    if scripts != {"latin", "cyrillic"}:
        return
    evidence = {"latin": 0.0, "cyrillic": 0.0}
    for letter in word:
        own = _script(letter.symbol)
        other = "latin" if own == "cyrillic" else "cyrillic"
        twin = _TWIN_OF.get(letter.symbol, "")
        evidence[own] += _log(letter.confidence)
        evidence[other] += _log(_probability(twin, letter, posteriors, charset))
    chosen = max(evidence, key=evidence.__getitem__)
    for letter in word:
        if letter.symbol in _TWIN_OF and _script(letter.symbol) != chosen:
            _rewrite(letter, _TWIN_OF[letter.symbol], posteriors, charset)


def unify_case(word: Sequence[Letter], posteriors: Posteriors, charset: Charset) -> None:
    """Write a word in small letters, in capitals, or with the first letter alone as a capital.

    Of the three, that is taken whose letters have the largest sum of log posteriors (of ``1e-6`` at
    least). A word that was read in another way keeps it where its letters are surer so by
    ``_MIXED_CASE_COST``. A rewritten letter's confidence is that of both cases together.
    """
    read = "".join(letter.symbol for letter in word)
    forms = (read.lower(), read.capitalize(), read.upper())
    if read in forms or any(len(form) != len(read) for form in forms):
        return
    scores = [_evidence(form, word, posteriors, charset) for form in forms]
    best = int(np.argmax(scores))
    if scores[best] <= _evidence(read, word, posteriors, charset) - _MIXED_CASE_COST:
        return
    for letter, symbol in zip(word, forms[best], strict=True):
        if letter.symbol != symbol and symbol in charset:
            _rewrite(letter, symbol, posteriors, charset)


def _words(letters: Sequence[Letter]) -> list[list[Letter]]:
    """Maximal runs of letters: digits, punctuation and hyphens part words too."""
    words: list[list[Letter]] = [[]]
    for letter in letters:
        if letter.symbol.isalpha():
            words[-1].append(letter)
        elif words[-1]:
            words.append([])
    return [word for word in words if word]


def _evidence(form: str, word: Sequence[Letter], posteriors: Posteriors, charset: Charset) -> float:
    """Sum of the log posteriors of a word's letters, were they written so."""
    pairs = zip(form, word, strict=True)
    return sum(_log(_probability(symbol, letter, posteriors, charset)) for symbol, letter in pairs)


def _rewrite(letter: Letter, symbol: str, posteriors: Posteriors, charset: Charset) -> None:
    letter.confidence += _probability(symbol, letter, posteriors, charset)
    letter.symbol = symbol


def _probability(symbol: str, letter: Letter, posteriors: Posteriors, charset: Charset) -> float:
    """Of a symbol where a letter was read; 0 of one that cannot be written."""
    if symbol == letter.symbol:
        return letter.confidence
    if symbol not in charset:
        return 0.0
    return float(posteriors[letter.start : letter.end, charset.index(symbol)].max())


def _log(probability: float) -> float:
    return math.log(max(probability, FLOOR))


def _script(symbol: str) -> str:
    return "cyrillic" if "\u0400" <= symbol <= "\u04ff" else "latin"
