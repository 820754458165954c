"""A character n-gram model of Russian and English, for beam search over CTC posteriors.

Symbols are folded to classes before they are counted: letter case, digits, ё, quotes and dashes do
not matter to the model, so it never argues about a figure or a capital. Probabilities are
Witten-Bell interpolated (Witten and Bell, 1991), kept for the n-grams that were frequent, with the
backoff weight of each context that has any. An n-gram of class numbers ``c1 .. cn`` (1 to 255) is the
integer of those bytes, so the followers of a context stand next to each other among the sorted
keys. Letters: K classes, M n-grams, V symbols of a recogniser.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from deployments.recognition.charset import Charset
from deployments.recognition.search_kernel import SPREAD, char_log_probability, extend_context
from deployments.recognition.search_tables import CharTables, index_of
from deployments.weights import TENSORS, Weights, WeightsError

Keys = npt.NDArray[np.uint64]
LogProbabilities = npt.NDArray[np.float32]

LOG_STEPS = 16.0
"""Quantised values are ``round(-16 * ln p)`` in a byte: steps of a sixteenth, down to e^-15.9."""
_BYTE = 8
_UNKNOWN = 0
_FOLDED = str.maketrans(
    dict.fromkeys("«»„“”", '"') | dict.fromkeys("‘’", "'") | dict.fromkeys("–—", "-") | {"ё": "е"}
)


def fold_symbol(symbol: str) -> str:
    """The symbol that stands for this one in the model."""
    folded = symbol.lower().translate(_FOLDED)
    return "0" if unicodedata.category(folded[0]) == "Nd" else folded


class CharModel:
    """Probabilities of the next symbol after a context.

    Args:
        classes: folded symbols; class ``i + 1`` is ``classes[i]``.
        order: the longest n-gram, at most 6.
        keys: ``uint64 (M,)``, sorted.
        log_probabilities: ``float32 (M,)`` of each n-gram's last class after the others.
        backoffs: ``float32 (M,)`` log weights of each n-gram as a context, 0 where it is none.
    """

    def __init__(
        self,
        classes: str,
        order: int,
        keys: Keys,
        log_probabilities: LogProbabilities,
        backoffs: LogProbabilities,
    ) -> None:
        self.classes = classes
        self.order = order
        self.tables = _tables(len(classes), order, keys, log_probabilities, backoffs)

    @classmethod
    def of_weights(cls, weights: Weights) -> CharModel:
        """The model of a weight of the engine ``charlm``.

        Raises:
            deployments.weights.WeightsError: the files do not hold such a model.
        """
        try:
            tensors = load_file(weights.file(TENSORS))
            keys = tensors["keys_high"].astype(np.uint64) << np.uint64(16) | tensors["keys_low"]
            logs = [tensors[name].astype(np.float32) / -LOG_STEPS for name in ("probabilities", "backoffs")]
            shape = weights.metadata["architecture"]
            return cls(str(shape["classes"]), int(shape["order"]), keys, logs[0], logs[1])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"weights {weights.reference!r} are no character model: {error!r}") from error

    def class_of(self, symbol: str) -> int:
        """Class of a symbol; 0 where the model does not know it."""
        return self.classes.find(fold_symbol(symbol)) + 1

    def extend(self, context: int, symbol_class: int) -> int:
        """The context after one more symbol; an unknown one empties it."""
        return int(extend_context(self.tables, np.uint64(context), symbol_class))

    def next_log_probabilities(self, context: int) -> LogProbabilities:
        """``float32 (K + 1,)`` natural logarithms over the next class, 0 being the unknown one."""
        known = range(len(self.classes) + 1)
        return np.array(
            [char_log_probability(self.tables, np.uint64(context), each) for each in known], np.float32
        )


def _tables(
    classes: int, order: int, keys: Keys, log_probabilities: LogProbabilities, backoffs: LogProbabilities
) -> CharTables:
    """Contexts with followers, where those start among the keys, and their backoff weights, by hash."""
    contexts, first = np.unique(keys >> np.uint64(_BYTE), return_index=True)
    last = np.append(first[1:], len(keys))
    weights = backoffs[np.searchsorted(keys, contexts).clip(0, len(keys) - 1)]
    unigrams = np.full(classes + 1, -255 / LOG_STEPS, np.float32)
    single = int(np.searchsorted(keys, np.uint64(1 << _BYTE)))
    unigrams[keys[:single].astype(np.int64)] = log_probabilities[:single]
    hashes = contexts * SPREAD
    by_hash = np.argsort(hashes)
    return CharTables(
        index_of(hashes[by_hash], 64),
        first[by_hash].astype(np.int32),
        last[by_hash].astype(np.int32),
        weights[by_hash],
        (keys & np.uint64(255)).astype(np.uint8),
        log_probabilities,
        unigrams,
        np.uint64((1 << _BYTE * (order - 1)) - 1),
    )


class CharPrior:
    """A character model as seen by one charset: what a beam search asks."""

    def __init__(self, model: CharModel, charset: Charset) -> None:
        self.tables = model.tables
        self.classes = np.array([_UNKNOWN, *map(model.class_of, charset.symbols)], np.uint8)
        self.start = np.uint64(model.extend(0, model.class_of(" ")))
