"""Word forms and how frequent they are, for beam search: what n-grams of six letters cannot know.

A word is a run of letters, folded as in :mod:`deployments.recognition.charlm`. The lexicon holds a hash
of 48 bits and the log probability of each form, not its letters: seven bytes a word, and of a
thousand million wrong words about five pass for one of a million and a half.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from deployments.recognition.charlm import LOG_STEPS, CharModel, fold_symbol
from deployments.recognition.charset import Charset
from deployments.recognition.search_kernel import WORD_KEY_BITS, word_log_probability
from deployments.recognition.search_tables import Classes, Keys, WordTables, index_of
from deployments.weights import Weights, WeightsError

WORDS_FILE = "words.safetensors"
# Natural logarithms: the rarest word that is told from others, and any that is not in the lexicon.
RAREST, UNKNOWN = -16.0, -20.5


class Lexicon:
    """Log probabilities of words.

    Args:
        keys: ``uint64 (N,)``, sorted; see :func:`deployments.recognition.search_kernel.word_key`.
        log_probabilities: ``float32 (N,)``, natural.
    """

    def __init__(self, keys: Keys, log_probabilities: npt.NDArray[np.float32]) -> None:
        self.tables = WordTables(index_of(keys, WORD_KEY_BITS), log_probabilities, RAREST, UNKNOWN)

    def __len__(self) -> int:
        return len(self.tables.log_probabilities)

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

    def log_probability(self, key: int) -> float:
        """Natural logarithm of the probability of the word with a key."""
        return float(word_log_probability(self.tables, np.uint64(key)))


class WordPrior:
    """A lexicon as seen by one charset: what a beam search asks when a word ends."""

    def __init__(self, lexicon: Lexicon, model: CharModel, charset: Charset) -> None:
        self.tables = lexicon.tables
        letters = [model.class_of(each) if fold_symbol(each).isalpha() else 0 for each in charset.symbols]
        self.letters: Classes = np.array([0, *letters], np.uint8)


NO_WORDS = Lexicon(np.zeros(0, np.uint64), np.zeros(0, np.float32)).tables
