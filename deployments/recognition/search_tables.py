"""What a beam search looks things up in, and works in: arrays by name, as compiled code takes them.

Letters: N entries, C contexts, M n-grams, P prefixes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]
Classes = npt.NDArray[np.uint8]


class Index(NamedTuple):
    """Where evenly spread keys stand: ``keys`` sorted, ``starts`` of each run of equal upper bits."""

    keys: Keys
    starts: Integers
    shift: np.uint64


class CharTables(NamedTuple):
    """An n-gram model; see :class:`deployments.recognition.charlm.CharModel`.

    Followers of context i are ``followers[first[i]:last[i]]``, sorted, with their ``log_probabilities``;
    ``backoffs[i]`` is the context's weight.
    """

    contexts: Index
    first: Integers
    last: Integers
    backoffs: Floats
    followers: Classes
    log_probabilities: Floats
    unigrams: Floats
    context_mask: np.uint64


class WordTables(NamedTuple):
    """A lexicon; see :class:`deployments.recognition.lexicon.Lexicon`."""

    words: Index
    log_probabilities: Floats
    rarest: float
    unknown: float


class Symbols(NamedTuple):
    """A charset as the models see it, by symbol: class, and the same where it is a letter, else 0."""

    classes: Classes
    letters: Classes


class Weights(NamedTuple):
    """See :class:`deployments.recognition.beam.Search`."""

    beams: int
    weight: float
    bonus: float
    word_weight: float
    word_bonus: float
    margin: float


class Tree(NamedTuple):
    """All prefixes met, by number; the root is 0.

    ``blank`` and ``label``: probability of the alignments that end in a blank and in the last symbol.
    ``peak``: the largest contribution to the last symbol, at ``step``. ``word`` and ``letters``: hash and
    length of the word that the prefix ends in. ``reached``: the last step that came to it.
    """

    parent: Integers
    child: Integers
    sibling: Integers
    symbol: Integers
    step: Integers
    reached: Integers
    letters: Integers
    context: Keys
    word: Keys
    prior: Doubles
    score: Doubles
    blank: Doubles
    label: Doubles
    next_blank: Doubles
    next_label: Doubles
    peak: Doubles


def index_of(keys: Keys, bits: int) -> Index:
    """An index of sorted, evenly spread keys of so many bits."""
    upper = max(1, len(keys).bit_length() - 1)
    shift = bits - upper
    runs = np.arange(1, 1 << upper, dtype=np.uint64) << np.uint64(shift)
    starts = np.concatenate([[0], keys.searchsorted(runs), [len(keys)]]).astype(np.int32)
    return Index(keys, starts, np.uint64(shift))


def empty_tree(prefixes: int) -> Tree:
    """Room for so many prefixes, not set to anything."""
    kinds = [np.int32] * 7 + [np.uint64] * 2 + [np.float64] * 7
    arrays: list[Any] = [np.empty(prefixes, kind) for kind in kinds]
    return Tree(*arrays)
