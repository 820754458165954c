"""The inner loop of beam search and what it looks up, compiled by Numba.

All compiled code of the search stands in this file, because Numba keeps what it compiled under the file's
time of change and sees no change in files that this one would import. ``NUMBA_DISABLE_JIT=1`` runs it as
plain Python, which a debugger can follow. Letters: T time steps, V symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

from deployments.recognition.charset import BLANK
from deployments.recognition.search_tables import (
    CharTables,
    Classes,
    Floats,
    Index,
    Integers,
    Symbols,
    Tree,
    Weights,
    WordTables,
)

F = TypeVar("F", bound=Callable[..., Any])

# Unsigned constants: Numba makes a float of an unsigned and a signed number.
_BYTE = np.uint64(8)
_NONE = np.uint64(0)
# FNV-1a (Fowler, Noll and Vo), of which the upper bits are kept.
START_WORD = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
WORD_KEY_BITS = 48
_WORD_SHIFT = np.uint64(64 - WORD_KEY_BITS)
# Spreads contexts evenly: the fraction of the golden ratio (Knuth, volume 3, section 6.4).
SPREAD = np.uint64(0x9E3779B97F4A7C15)

# Symbols below this probability at a step extend no prefix there.
_LEAST_PROBABILITY = 1e-3
# What is neither blank nor text must not cost many times what text costs.
MOST_SYMBOLS = 8
# Steps with a blank surer than this extend nothing: they only end the characters before them.
SURE_BLANK = 0.99
_TINY = 1e-30
# What the character model may take back of a prefix's distance to the best.
_HOPE = 0.5


def compiled(function: F) -> F:
    """Compile at the first call; keep the result where a file may be written, next to the source or in ~."""
    try:
        return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # Nothing may be written.
        return numba.njit(nogil=True)(function)  # type: ignore[no-any-return]


@compiled
def find(index: Index, key: np.uint64) -> int:
    """Number of a key, -1 where it is not there."""
    run = key >> index.shift
    for at in range(index.starts[run], index.starts[run + np.uint64(1)]):
        if index.keys[at] == key:
            return at
    return -1


@compiled
def shorten(context: np.uint64) -> np.uint64:
    """A context without its oldest symbol: what there is to back off to."""
    bits = _NONE
    while context >> bits > np.uint64(255):
        bits += _BYTE
    return context & ((np.uint64(1) << bits) - np.uint64(1))


@compiled
def extend_context(tables: CharTables, context: np.uint64, symbol_class: int) -> np.uint64:
    """The context after one more symbol; an unknown one, 0, empties it."""
    if symbol_class == 0:
        return _NONE
    return ((context << _BYTE) | np.uint64(symbol_class)) & tables.context_mask


@compiled
def _follower(tables: CharTables, at: int, symbol_class: int) -> int:
    """Where a class stands among the followers of context ``at``, -1 where it does not."""
    low, high = tables.first[at], tables.last[at]
    while low < high:
        middle = (low + high) // 2
        if tables.followers[middle] < symbol_class:
            low = middle + 1
        else:
            high = middle
    return low if low < tables.last[at] and tables.followers[low] == symbol_class else -1


@compiled
def char_log_probability(tables: CharTables, context: np.uint64, symbol_class: int) -> float:
    """Natural logarithm of the probability of a class after a context."""
    said = 0.0
    while context != _NONE:
        at = find(tables.contexts, context * SPREAD)
        if at >= 0:
            place = _follower(tables, at, symbol_class)
            if place >= 0:
                return said + float(tables.log_probabilities[place])
            said += tables.backoffs[at]
        context = shorten(context)
    return said + float(tables.unigrams[symbol_class])


@compiled
def extend_word(state: np.uint64, letter_class: int) -> np.uint64:
    """The hash of a word after one more letter."""
    return (state ^ np.uint64(letter_class)) * _PRIME


@compiled
def word_key(state: np.uint64) -> np.uint64:
    """What a lexicon is sorted by."""
    return state >> _WORD_SHIFT


@compiled
def key_of_word(letters: Classes) -> np.uint64:
    """The key of a whole word, given by the classes of its letters."""
    state = START_WORD
    for letter in letters:
        state = extend_word(state, letter)
    return word_key(state)


@compiled
def word_log_probability(tables: WordTables, key: np.uint64) -> float:
    """Natural logarithm of a word's probability; rare words are alike, and so are unknown ones."""
    at = find(tables.words, key)
    return tables.unknown if at < 0 else max(float(tables.log_probabilities[at]), tables.rarest)


@compiled
def _ended_word(tree: Tree, node: int, words: WordTables, weights: Weights) -> float:
    """What the lexicon adds for the word that a prefix ends in, once it is known to end there.

    Single letters stand for too much, initials and items of lists, to be judged.
    """
    length = tree.letters[node]
    if length < 2:
        return 0.0
    said = word_log_probability(words, word_key(tree.word[node]))
    return weights.word_weight * said + (weights.word_bonus * length if said > words.unknown else 0.0)


@compiled
def _grow(tree: Tree, node: int, parent: int, symbol: int, context: np.uint64, prior: float) -> None:
    tree.parent[node], tree.child[node], tree.sibling[node] = parent, -1, -1
    tree.symbol[node], tree.step[node], tree.reached[node] = symbol, 0, -1
    tree.context[node], tree.prior[node], tree.score[node] = context, prior, 0.0
    tree.word[node], tree.letters[node] = START_WORD, 0
    tree.blank[node] = tree.label[node] = tree.peak[node] = 0.0
    tree.next_blank[node] = tree.next_label[node] = 0.0


@compiled
def _child(
    tree: Tree, node: int, parent: int, symbol: int,
    symbols: Symbols, chars: CharTables, words: WordTables, weights: Weights,
) -> None:  # fmt: skip
    """Make ``node`` the child of ``parent`` by a symbol."""
    symbol_class, letter = symbols.classes[symbol], symbols.letters[symbol]
    context = tree.context[parent]
    said = weights.weight * char_log_probability(chars, context, symbol_class) + weights.bonus
    if letter == 0:
        said += _ended_word(tree, parent, words, weights)
    _grow(tree, node, parent, symbol, extend_context(chars, context, symbol_class), tree.prior[parent] + said)
    if letter != 0:
        tree.word[node] = extend_word(tree.word[parent], letter)
        tree.letters[node] = tree.letters[parent] + 1
    tree.sibling[node] = tree.child[parent]
    tree.child[parent] = node


@compiled
def _likely(row: Floats, likely: Integers) -> int:
    """Symbols but the blank worth extending a prefix by, likeliest first; answers how many."""
    count = 0
    for symbol in range(len(row)):
        if symbol == BLANK or row[symbol] <= _LEAST_PROBABILITY:
            continue
        place = min(count, MOST_SYMBOLS - 1)
        if count == MOST_SYMBOLS and row[symbol] <= row[likely[place]]:
            continue
        count = place + 1
        while place > 0 and row[likely[place - 1]] < row[symbol]:
            likely[place] = likely[place - 1]
            place -= 1
        likely[place] = symbol
    return count


@compiled
def _reach(tree: Tree, node: int, step: int, reached: Integers, count: int) -> int:
    """Count a prefix among those that a step comes to, once."""
    if tree.reached[node] == step:
        return count
    tree.reached[node] = step
    reached[count] = node
    return count + 1


@compiled
def _end_characters(tree: Tree, beams: Integers) -> None:
    """What a sure blank does: the same symbol after it is a new character."""
    for node in beams:
        tree.blank[node] += tree.label[node]
        tree.label[node] = 0.0


@compiled
def _extend(
    tree: Tree, size: int, beams: Integers, row: Floats, step: int, reached: Integers,
    symbols: Symbols, chars: CharTables, words: WordTables, weights: Weights,
) -> tuple[int, int]:  # fmt: skip
    """Spread the beams' probabilities over one step; answers the tree's size, and how many are reached."""
    count = 0
    likely = np.empty(MOST_SYMBOLS, np.int32)
    symbol_count = _likely(row, likely)
    # The best prefix scores about this much after the step; what cannot come near it is not begun.
    likeliest = row[BLANK] if symbol_count == 0 else max(row[BLANK], row[likely[0]])
    least = tree.score[beams[0]] + np.log(max(float(likeliest), _TINY)) - weights.margin - _HOPE
    for node in beams:
        whole = tree.blank[node] + tree.label[node]
        hopeless = np.exp(min(least - tree.prior[node], 0.0))
        tree.next_blank[node] += whole * row[BLANK]
        if tree.label[node] > 0.0:
            tree.next_label[node] += tree.label[node] * row[tree.symbol[node]]
        count = _reach(tree, node, step, reached, count)
        for symbol in likely[:symbol_count]:
            share = (tree.blank[node] if symbol == tree.symbol[node] else whole) * row[symbol]
            child = tree.child[node]
            while child >= 0 and tree.symbol[child] != symbol:
                child = tree.sibling[child]
            if child < 0:
                if share < hopeless:
                    continue
                child, size = size, size + 1
                _child(tree, child, node, symbol, symbols, chars, words, weights)
            tree.next_label[child] += share
            if share > tree.peak[child]:
                tree.peak[child], tree.step[child] = share, step
            count = _reach(tree, child, step, reached, count)
    return size, count


@compiled
def _best(tree: Tree, reached: Integers, weights: Weights) -> Integers:
    """The best prefixes, best first, scaled so that probabilities stay far from underflow."""
    best = np.empty(weights.beams, np.int32)
    count, scale = 0, 0.0
    for node in reached:
        tree.blank[node], tree.label[node] = tree.next_blank[node], tree.next_label[node]
        tree.next_blank[node] = tree.next_label[node] = 0.0
        tree.score[node] = np.log(tree.blank[node] + tree.label[node] + _TINY) + tree.prior[node]
        count = _insert(tree, node, best, count)
    least = tree.score[best[0]] - weights.margin
    while tree.score[best[count - 1]] < least:
        count -= 1
        _forget(tree, best[count])
    for node in best[:count]:
        scale = max(scale, tree.blank[node] + tree.label[node])
    if 0.0 < scale < 1e-6:
        for node in best[:count]:
            tree.score[node] -= np.log(scale)
            tree.blank[node] /= scale
            tree.label[node] /= scale
            tree.peak[node] /= scale
    return best[:count]


@compiled
def _insert(tree: Tree, node: int, best: Integers, count: int) -> int:
    """Put a prefix where it belongs among the best, and forget the one that falls out."""
    place = count
    if count == len(best):
        place -= 1
        if tree.score[node] <= tree.score[best[place]]:
            _forget(tree, node)
            return count
        _forget(tree, best[place])
    count = place + 1
    while place > 0 and tree.score[best[place - 1]] < tree.score[node]:
        best[place] = best[place - 1]
        place -= 1
    best[place] = node
    return count


@compiled
def _forget(tree: Tree, node: int) -> None:
    tree.blank[node] = tree.label[node] = tree.peak[node] = 0.0


@compiled
def search(
    posteriors: Floats, tree: Tree, start: np.uint64,
    symbols: Symbols, chars: CharTables, words: WordTables, weights: Weights,
) -> tuple[int, float]:  # fmt: skip
    """Fill the tree with the prefixes of ``(T, V)`` posteriors.

    Answers the best one that spans them, and what the models add for it, its last word included.
    """
    _grow(tree, 0, -1, 0, start, 0.0)
    tree.blank[0] = 1.0
    beams = np.zeros(1, np.int32)
    reached = np.empty(weights.beams * (MOST_SYMBOLS + 1), np.int32)
    size, expected = 1, 0
    for step in range(len(posteriors)):
        if posteriors[step, BLANK] >= SURE_BLANK:
            continue
        if step > expected:
            _end_characters(tree, beams)
        expected = step + 1
        size, count = _extend(
            tree, size, beams, posteriors[step], step, reached, symbols, chars, words, weights
        )
        beams = _best(tree, reached[:count], weights)
    best, most, added = 0, -np.inf, 0.0
    for node in beams:
        ended = _ended_word(tree, int(node), words, weights)
        if tree.score[node] + ended > most:
            best, most, added = int(node), tree.score[node] + ended, tree.prior[node] + ended
    return best, added
