"""How readings are scored: character and word error rates, exact lines.

Rates are sums of edit distances over sums of reference lengths, so long lines weigh by their
length and a set's rate does not depend on how it was cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rapidfuzz.distance import Levenshtein

_PLAIN = str.maketrans(
    {"ё": "е", "Ё": "Е", "«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "’": "'", "‘": "'"}
    | dict.fromkeys("—–−", "-")
    | {"\u00ad": ""}
)


def fold(text: str) -> str:
    """Text as compared in the tables: NFKC, lower case, plain quotes and dashes, single spaces."""
    folded = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    return re.sub(r"\s+", " ", folded).strip().lower()


@dataclass(frozen=True, slots=True)
class ReadingScore:
    """Rates of one set; ``n`` lines with ``characters`` reference characters."""

    n: int
    characters: int
    cer: float
    wer: float
    exact: float

    def as_dict(self) -> dict[str, float]:
        return {key: round(value, 4) for key, value in asdict(self).items()}


def score_readings(pairs: Iterable[tuple[str, str]], folded: bool = True) -> ReadingScore:
    """Score readings against references.

    Args:
        pairs: ``(reading, reference)`` of each line.
        folded: compare after :func:`fold`.

    Returns:
        ``cer`` and ``wer`` are edit distances over reference lengths (above 1 when a reading is
        longer than its reference); ``exact`` is the share of lines without an error.

    Raises:
        ValueError: there is no reference text at all.
    """
    n = characters = words = character_edits = word_edits = exact = 0
    for reading, reference in pairs:
        if folded:
            reading, reference = fold(reading), fold(reference)
        n += 1
        characters += len(reference)
        words += len(reference.split())
        character_edits += Levenshtein.distance(reading, reference)
        word_edits += Levenshtein.distance(reading.split(), reference.split())
        exact += reading == reference
    if characters == 0:
        raise ValueError("no reference text to score against")
    return ReadingScore(n, characters, character_edits / characters, word_edits / words, exact / n)
