"""Prefix beam search over CTC posteriors with a character model and a lexicon.

After Graves, "Sequence Transduction with Recurrent Neural Networks" (2012), and Hannun et al.,
"First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs"
(2014), at the level of characters. A text scores ``ln p_ctc + weight * ln p_lm + bonus * length``, and
each of its words once more when it ends (:meth:`deployments.recognition.lexicon.WordPrior.score`). The
probability of a prefix sums over its alignments. Letters: T time steps, V symbols, the blank at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from deployments.recognition.charlm import CharPrior
from deployments.recognition.charset import BLANK
from deployments.recognition.decode import Posteriors
from deployments.recognition.lexicon import WordPrior, extend_word, start_word

# Symbols below this probability at a step extend no prefix there.
_LEAST_PROBABILITY = 1e-2
# What is neither blank nor text must not cost many times what text costs.
_MOST_SYMBOLS = 8
# Steps with a blank surer than this extend nothing: they only end the characters before them.
_SURE_BLANK = 0.9999
_TINY = 1e-30
# Prefixes this much worse than the best, in nats, never come back.
_MARGIN = 4.0
# What the character model may take back of that.
_HOPE = 0.5


@dataclass(frozen=True, slots=True)
class Search:
    """How wide to search and how much the models say.

    ``weight`` multiplies the log probabilities of characters, ``bonus`` is added for every one, since
    any model prefers short texts; ``word_weight`` and ``word_bonus`` do so for words and the letters of
    known ones.
    """

    beams: int = 10
    weight: float = 0.2
    bonus: float = 0.6
    word_weight: float = 0.125
    word_bonus: float = 0.3


@dataclass(frozen=True, slots=True)
class Priors:
    """What is known of texts before one is seen."""

    characters: CharPrior
    words: WordPrior | None = None


class _Prefix:
    """A prefix as a node of the tree of all prefixes met.

    ``blank`` and ``label``: probability of the alignments that end in a blank and in the last symbol.
    ``peak``: the largest contribution to the last symbol, at ``step``. ``word`` and ``letters``: hash and
    length of the word that the prefix ends in.
    """

    __slots__ = (
        "blank", "children", "context", "index", "label", "letters", "next_blank", "next_label", "parent",
        "peak", "prior", "score", "step", "word",
    )  # fmt: skip

    def __init__(self, parent: _Prefix | None, index: int, context: int, prior: float) -> None:
        self.parent = parent
        self.index = index
        self.context = context
        self.prior = prior
        self.children: dict[int, _Prefix] = {}
        self.blank = self.label = self.next_blank = self.next_label = self.peak = 0.0
        self.score = 0.0
        self.step = 0
        self.word = start_word()
        self.letters = 0

    def advance(self) -> None:
        self.blank, self.label = self.next_blank, self.next_label
        self.next_blank = self.next_label = 0.0


def is_certain(posteriors: Posteriors, least: float = 0.98) -> bool:
    """Whether every step is so sure that a search could only find the best path."""
    return len(posteriors) == 0 or float(posteriors.max(axis=1).min()) >= least


def search_beams(posteriors: Posteriors, priors: Priors, search: Search) -> list[tuple[int, int]]:
    """The best text of a line.

    Args:
        posteriors: ``(T, V)`` float32 probabilities.
        priors: the models of text, as the charset of V sees them.
        search: width and weights.

    Returns:
        Symbol index and time step of each character, from left to right.
    """
    root = _Prefix(None, BLANK, priors.characters.start, 0.0)
    root.blank = 1.0
    beams = [root]
    expected = 0
    for step in np.flatnonzero(posteriors[:, BLANK] < _SURE_BLANK).tolist():
        if step > expected:
            _end_characters(beams)
        expected = step + 1
        row = posteriors[step]
        symbols = _likely(row)
        reached = _extend(beams, float(row[BLANK]), symbols, row, step, priors, search)
        beams = _best(reached, search.beams)
    return _characters(max(beams, key=lambda prefix: prefix.score + _ended_word(prefix, priors, search)))


def _end_characters(beams: Sequence[_Prefix]) -> None:
    """What a sure blank does: the same symbol after it is a new character."""
    for prefix in beams:
        prefix.blank, prefix.label = prefix.blank + prefix.label, 0.0


def _likely(row: Posteriors) -> list[tuple[int, float]]:
    """Symbols worth extending a prefix by at one step, at most :data:`_MOST_SYMBOLS`."""
    likely = np.flatnonzero(row > _LEAST_PROBABILITY)
    if len(likely) > _MOST_SYMBOLS:
        likely = likely[np.argsort(row[likely])[-_MOST_SYMBOLS:]]
    return [(index, float(row[index])) for index in likely.tolist() if index != BLANK]


def _extend(
    beams: Sequence[_Prefix],
    blank: float,
    symbols: Sequence[tuple[int, float]],
    row: Posteriors,
    step: int,
    priors: Priors,
    search: Search,
) -> dict[int, _Prefix]:
    """All prefixes that one step makes of the beams, by identity, with their new probabilities."""
    reached: dict[int, _Prefix] = {}
    # The best prefix scores about this much after the step; what cannot come near it is not begun.
    least = beams[0].score + math.log(max(float(row.max()), _TINY)) - _MARGIN - _HOPE
    for prefix in beams:
        whole = prefix.blank + prefix.label
        hopeless = math.exp(min(least - prefix.prior, 0.0))
        prefix.next_blank += whole * blank
        if prefix.label:
            prefix.next_label += prefix.label * float(row[prefix.index])
        reached[id(prefix)] = prefix
        for index, probability in symbols:
            share = (prefix.blank if index == prefix.index else whole) * probability
            child = prefix.children.get(index)
            if child is None:
                if share < hopeless:
                    continue
                child = prefix.children[index] = _child(prefix, index, priors, search)
            child.next_label += share
            if share > child.peak:
                child.peak, child.step = share, step
            reached[id(child)] = child
    return reached


def _child(prefix: _Prefix, index: int, priors: Priors, search: Search) -> _Prefix:
    characters, words = priors.characters, priors.words
    said = search.weight * characters.log_probability(prefix.context, index) + search.bonus
    letter = words.letters[index] if words else 0
    if not letter:
        said += _ended_word(prefix, priors, search)
    child = _Prefix(prefix, index, characters.extend(prefix.context, index), prefix.prior + said)
    if letter:
        child.word, child.letters = extend_word(prefix.word, letter), prefix.letters + 1
    return child


def _ended_word(prefix: _Prefix, priors: Priors, search: Search) -> float:
    """What the lexicon says of the word that a prefix ends in, once it is known to end there."""
    if priors.words is None or not prefix.letters:
        return 0.0
    return priors.words.score(prefix.word, prefix.letters, search.word_weight, search.word_bonus)


def _best(reached: dict[int, _Prefix], count: int) -> list[_Prefix]:
    """The best prefixes, scaled so that probabilities stay far from underflow; the others forgotten."""
    for prefix in reached.values():
        prefix.advance()
        prefix.score = math.log(prefix.blank + prefix.label + _TINY) + prefix.prior
    least = max(prefix.score for prefix in reached.values()) - _MARGIN
    ranked = sorted(reached.values(), key=_by_score, reverse=True)
    kept = [prefix for prefix in ranked[:count] if prefix.score >= least]
    for prefix in ranked[len(kept) :]:
        prefix.blank = prefix.label = prefix.peak = 0.0
    scale = max(prefix.blank + prefix.label for prefix in kept)
    if 0 < scale < 1e-6:
        for prefix in kept:
            prefix.score -= math.log(scale)
            prefix.blank /= scale
            prefix.label /= scale
            prefix.peak /= scale
    return kept


_by_score = attrgetter("score")


def _characters(prefix: _Prefix) -> list[tuple[int, int]]:
    characters: list[tuple[int, int]] = []
    node: _Prefix | None = prefix
    while node is not None and node.parent is not None:
        characters.append((node.index, node.step))
        node = node.parent
    return characters[::-1]
