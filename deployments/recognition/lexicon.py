"""Word forms and how frequent they are, for beam search: what n-grams of six letters cannot know.

A word is a run of letters, folded as in :mod:`deployments.recognition.charlm`. The lexicon holds a hash
of 48 bits and the log probability of each form, not its letters: nine bytes less a word, and a
wrong word passes for a known one about once in a thousand million.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from deployments.recognition.charlm import LOG_STEPS, CharModel, fold_symbol
from deployments.recognition.charset import Charset
from deployments.weights import Weights, WeightsError

WORDS_FILE = "words.safetensors"
KEY_BITS = 48
# FNV-1a (Fowler, Noll and Vo), of which the upper bits are kept.
_OFFSET, _PRIME, _HASH = 0xCBF29CE484222325, 0x100000001B3, 2**64 - 1
_CACHED_WORDS = 65_536
# Natural logarithms: the rarest word that is told from others, and any that is not in the lexicon.
RAREST, UNKNOWN = -16.0, -24.0

Keys = npt.NDArray[np.uint64]


def start_word() -> int:
    """The hash of no letters yet."""
    return _OFFSET


def extend_word(state: int, letter_class: int) -> int:
    """The hash after one more letter, given by its class in the character model."""
    return ((state ^ letter_class) * _PRIME) & _HASH


def word_key(state: int) -> int:
    """What the lexicon is sorted by."""
    return state >> (64 - KEY_BITS)


class Lexicon:
    """Log probabilities of words.

    Args:
        keys: ``uint64 (N,)``, sorted; see :func:`word_key`.
        log_probabilities: ``float32 (N,)``, natural.
    """

    def __init__(self, keys: Keys, log_probabilities: npt.NDArray[np.float32]) -> None:
        self._keys = keys
        self._log_probabilities = log_probabilities
        # Threads share it: readings are finished in several at once.
        self.log_probability = lru_cache(maxsize=_CACHED_WORDS)(self._look_up)

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def of_weights(cls, weights: Weights) -> Lexicon:
        """The words beside a character model; none where the weight has no such file.

        Raises:
            deployments.weights.WeightsError: the file holds something else.
        """
        if WORDS_FILE not in weights.metadata.get("sha256", {}):
            return cls(np.zeros(0, np.uint64), np.zeros(0, np.float32))
        try:
            tensors = load_file(weights.file(WORDS_FILE))
            keys = tensors["keys_high"].astype(np.uint64) << np.uint64(16) | tensors["keys_low"]
            return cls(keys, tensors["probabilities"].astype(np.float32) / -LOG_STEPS)
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise WeightsError(f"weights {weights.reference!r} hold no lexicon: {error!r}") from error

    def _look_up(self, key: int) -> float:
        at = int(self._keys.searchsorted(np.uint64(key)))
        if at == len(self._keys) or int(self._keys[at]) != key:
            return UNKNOWN
        return max(float(self._log_probabilities[at]), RAREST)


class WordPrior:
    """A lexicon as seen by one charset: what a beam search asks when a word ends."""

    def __init__(self, lexicon: Lexicon, model: CharModel, charset: Charset) -> None:
        self._lexicon = lexicon
        self.letters = [0] + [
            model.class_of(symbol) if fold_symbol(symbol).isalpha() else 0 for symbol in charset.symbols
        ]

    def score(self, state: int, length: int, weight: float, bonus: float) -> float:
        """What a word of ``length`` letters adds: weighted log probability, and a bonus a letter if known.

        Single letters stand for too much, initials and items of lists, to be judged.
        """
        if length < 2:
            return 0.0
        said = self._lexicon.log_probability(word_key(state))
        return weight * said + (bonus * length if said > UNKNOWN else 0.0)
