"""Characters that lines are made of, and the mapping of any text onto them."""

from __future__ import annotations

import unicodedata

from deployments.recognition import charset

LATIN = frozenset(charset.LATIN)
CYRILLIC = frozenset(charset.CYRILLIC)
CHARSET = frozenset(charset.RUSSIAN_ENGLISH)

# What a writer without the sign would put instead; used for faces that lack it.
_SUBSTITUTES = {
    "…": "...",
    "„": '"',
    "“": '"',
    "”": '"',
    "«": '"',
    "»": '"',
    "‘": "'",
    "’": "'",
    "`": "'",
    "–": "-",
    "—": "-",
    "№": "N",
    "·": ".",
    "•": "-",
    "×": "x",
    "½": "1/2",
    "©": "(c)",
    "®": "(R)",
}


def normalise(text: str, characters: frozenset[str] = CHARSET) -> str:
    """``text`` in canonical form over ``characters``: signs replaced where usual, others dropped."""
    out: list[str] = []
    for character in charset.normalise(text):
        if character in characters:
            out.append(character)
            continue
        replaced = _SUBSTITUTES.get(character) or unicodedata.normalize("NFKD", character)
        out.extend(c for c in replaced if c in characters)
    return " ".join("".join(out).split())
