"""Prefix beam search over CTC posteriors with a character model and a lexicon.

After Graves, "Sequence Transduction with Recurrent Neural Networks" (2012), and Hannun et al.,
"First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs"
(2014), at the level of characters. A text scores ``ln p_ctc + weight * ln p_lm + bonus * length``, and
each of its words once more when it ends (:meth:`deployments.recognition.lexicon.WordPrior.score`). The
probability of a prefix sums over its alignments. Letters: T time steps, V symbols, the blank at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deployments.recognition.charlm import CharPrior
from deployments.recognition.charset import BLANK
from deployments.recognition.consistency import Posteriors
from deployments.recognition.lexicon import NO_WORDS, WordPrior
from deployments.recognition.search_kernel import MOST_SYMBOLS, SURE_BLANK, search
from deployments.recognition.search_tables import Symbols, Weights, empty_tree

# Prefixes this much worse than the best, in nats, never come back.
_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Search:
    """How wide to search and how much the models say.

    ``weight`` multiplies the log probabilities of characters, ``bonus`` is added for every one, since
    any model prefers short texts; ``word_weight`` and ``word_bonus`` do so for words and the letters of
    known ones.
    """

    beams: int = 32
    weight: float = 0.215
    bonus: float = 0.95
    word_weight: float = 0.125
    word_bonus: float = 0.45


@dataclass(frozen=True)
class Priors:
    """What is known of texts before one is seen."""

    characters: CharPrior
    words: WordPrior | None = None

    @cached_property
    def symbols(self) -> Symbols:
        """The charset as both models see it; without words, nothing is a letter."""
        classes = self.characters.classes
        return Symbols(classes, np.zeros_like(classes) if self.words is None else self.words.letters)


@dataclass(frozen=True, slots=True)
class Found:
    """A text that a search found: symbol index and time step of each character, from left to right.

    ``prior``: what the models of text add to its log probability, with the weights of the search.
    """

    characters: tuple[tuple[int, int], ...]
    prior: float

    @property
    def symbols(self) -> tuple[int, ...]:
        """The text without its places."""
        return tuple(symbol for symbol, _ in self.characters)


def is_certain(posteriors: Posteriors, least: float = 0.98) -> bool:
    """Whether every step is so sure that a search could only find the best path."""
    return len(posteriors) == 0 or float(posteriors.max(axis=1).min()) >= least


def find_text(posteriors: Posteriors, priors: Priors, search_for: Search) -> Found:
    """The best text of a line.

    Args:
        posteriors: ``(T, V)`` float32 probabilities.
        priors: the models of text, as the charset of V sees them.
        search_for: width and weights.
    """
    steps = int(np.count_nonzero(posteriors[:, BLANK] < SURE_BLANK))
    tree = empty_tree(1 + steps * search_for.beams * MOST_SYMBOLS)
    words = NO_WORDS if priors.words is None else priors.words.tables
    weights = Weights(
        search_for.beams, search_for.weight, search_for.bonus,
        search_for.word_weight, search_for.word_bonus, _MARGIN,
    )  # fmt: skip
    node, prior = search(
        posteriors, tree, priors.characters.start, priors.symbols, priors.characters.tables, words, weights
    )
    found = []
    while node > 0:
        found.append((int(tree.symbol[node]), int(tree.step[node])))
        node = int(tree.parent[node])
    return Found(tuple(found[::-1]), float(prior))
