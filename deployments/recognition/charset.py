"""The symbols a recogniser can write, and the way from text to symbol indices and back.

Index 0 is the CTC blank, so symbol ``i`` of the charset has index ``i + 1``. The order of the
symbols defines the indices: a weight carries its charset in ``metadata.json`` and is only ever
read with that one.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Sequence

BLANK = 0

LATIN = string.ascii_uppercase + string.ascii_lowercase
CYRILLIC = "".join(map(chr, range(0x0410, 0x0450))) + "Ёё"
TYPOGRAPHIC = "«»„“”‘’–—…№§°€£₽©®·•×±½"
RUSSIAN_ENGLISH = " " + string.digits + LATIN + CYRILLIC + string.punctuation + TYPOGRAPHIC

_SPACES = dict.fromkeys("\t\n\r\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", " ")
_INVISIBLE = dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")
# Code points that print alike are one symbol: no reader could learn to tell them apart.
_LOOK_ALIKE = {
    "\u2010": "-",
    "\u2011": "-",
    "\u2212": "-",
    "\u2012": "–",
    "\u2015": "—",
    "\u201a": ",",
    "\u201b": "‘",
    "\u201f": "“",
    "\u2032": "'",
    "\u2033": '"',
    "\u02bc": "’",
    "\u00b4": "'",
    "\u2022": "•",
    "\u25cf": "•",
    "\u2219": "·",
    "\u22c5": "·",
    "\u2024": ".",
    "\u00ba": "°",
    "\u02da": "°",
    "\u2044": "/",
    "\u2215": "/",
}
_TABLE = str.maketrans(_SPACES | _INVISIBLE | _LOOK_ALIKE)


def normalise(text: str) -> str:
    """Canonical form of a text: NFC, plain single spaces, one code point per printed shape."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_TABLE).split())


class UnknownSymbols(ValueError):
    """A text holds symbols that the charset does not."""


class Charset:
    """An ordered set of single-character symbols.

    Args:
        symbols: every symbol once; the position defines the index.

    Raises:
        ValueError: a symbol occurs twice.
    """

    def __init__(self, symbols: str = RUSSIAN_ENGLISH) -> None:
        if len(set(symbols)) != len(symbols):
            twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
            raise ValueError(f"charset holds symbols twice: {''.join(twice)!r}")
        self.symbols = symbols
        self._index = {symbol: i for i, symbol in enumerate(symbols, start=BLANK + 1)}

    def __len__(self) -> int:
        """Number of outputs a network needs: the symbols and the blank."""
        return len(self.symbols) + 1

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._index

    def index(self, symbol: str) -> int:
        """Index of a symbol, in ``[1, len(self))``."""
        return self._index[symbol]

    def symbol(self, index: int) -> str:
        """Symbol of an index; the blank is the empty string."""
        return "" if index == BLANK else self.symbols[index - 1]

    def covers(self, text: str) -> bool:
        """Whether the normalised text can be encoded."""
        return all(symbol in self._index for symbol in normalise(text))

    def encode(self, text: str) -> list[int]:
        """Indices of the normalised text.

        Raises:
            UnknownSymbols: the text holds symbols outside the charset.
        """
        text = normalise(text)
        if unknown := sorted(set(text) - self._index.keys()):
            raise UnknownSymbols(f"not in the charset: {''.join(unknown)!r}")
        return [self._index[symbol] for symbol in text]

    def encode_batch(self, texts: Iterable[str]) -> tuple[list[int], list[int]]:
        """Indices of all texts, one after another, and the length of each: what CTC loss takes."""
        encoded = [self.encode(text) for text in texts]
        return [index for indices in encoded for index in indices], [len(indices) for indices in encoded]

    def decode(self, indices: Iterable[int]) -> str:
        """Text of indices; blanks are dropped, repeats are kept."""
        return "".join(self.symbol(index) for index in indices)

    def decode_batch(self, indices: Sequence[int], lengths: Iterable[int]) -> list[str]:
        """Inverse of :meth:`encode_batch`."""
        texts, start = [], 0
        for length in lengths:
            texts.append(self.decode(indices[start : start + length]))
            start += length
        return texts
