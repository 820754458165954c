"""What the lines say: prose, words, forms, receipts, figures and technical text in two languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from training.synth import figures
from training.synth.alphabet import normalise
from training.synth.fonts import Split
from training.synth.vocabulary import VALUES, value

Language = Literal["ru", "en"]
TextKind = Literal["prose", "words", "form", "receipt", "figures", "technical"]
Rng = np.random.Generator

DEFAULT_DIRECTORY = Path(".cache/texts")
PRINTED_MIX: dict[TextKind, float] = {
    "prose": 0.46,
    "words": 0.14,
    "form": 0.12,
    "receipt": 0.12,
    "figures": 0.08,
    "technical": 0.08,
}
RECEIPT_MIX: dict[TextKind, float] = {
    "receipt": 0.5,
    "figures": 0.15,
    "words": 0.15,
    "prose": 0.15,
    "form": 0.05,
}
TYPED_MIX: dict[TextKind, float] = {"prose": 0.65, "words": 0.15, "form": 0.1, "figures": 0.1}
HANDWRITTEN_MIX: dict[TextKind, float] = {"prose": 0.4, "words": 0.36, "form": 0.19, "figures": 0.05}
_MIN_CHARS = 1
_PLAIN_SIGNS = 0.08
_CALLS = 0.03
"""Share of the lines whose last letter is followed by ! or ?: without them a ! is read as an l there."""
_LINE_LENGTHS = ((0.22, 1, 12), (0.36, 10, 42), (0.42, 38, 100))
_QUOTES = ("«»", "“”", '""', "()", "[]", "''", "„“", "<>", "{}")
_SIGNS = "!?;:%№§*&#@+=/|\\~^_$€£₽°©®·•×±½…—–"


@dataclass(frozen=True, slots=True)
class _Sources:
    prose: tuple[str, ...]
    words: tuple[str, ...]
    fields: tuple[str, ...]


@lru_cache(maxsize=8)
def _load(directory: Path, language: str, split: Split) -> _Sources:
    def read(name: str) -> tuple[str, ...]:
        path = directory / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: run `python -m training.synth texts`")
        return tuple(path.read_text(encoding="utf-8").split("\n"))

    prose = f"{language}.txt" if split == "train" else f"{language}-test.txt"
    return _Sources(read(prose), read(f"{language}-words.txt"), read(f"{language}-fields.txt"))


class Corpus:
    """Texts of both languages under ``directory``, read once a process.

    The split ``"test"`` takes its prose from packages that training never sees.
    """

    def __init__(self, directory: Path = DEFAULT_DIRECTORY, split: Split = "train") -> None:
        self._sources = {name: _load(directory.resolve(), name, split) for name in ("ru", "en")}

    def text(
        self,
        rng: Rng,
        language: Language,
        kind: TextKind | None = None,
        max_chars: int = 100,
        plain: bool = False,
    ) -> str:
        """One line of 1 to ``max_chars`` characters of the project's charset.

        ``kind=None`` draws one from ``PRINTED_MIX``. ``plain`` passes over prose full of signs and
        figures, which nobody writes by hand.
        """
        kind = kind or draw_kind(rng, PRINTED_MIX)
        makers: dict[TextKind, Callable[[Rng, Language, int], str]] = {
            "prose": self._prose,
            "words": self._words,
            "form": self._form,
            "receipt": self._receipt,
            "figures": self._figures,
            "technical": self._technical,
        }
        length = min(max_chars, _draw_length(rng))
        for _ in range(20):
            text = normalise(makers[kind](rng, language, length))
            if plain and kind == "prose" and _signs(text) > _PLAIN_SIGNS:
                continue
            text = _call(rng, _cut(_vary_case(rng, _sprinkle(rng, text)), max_chars), max_chars)
            if len(text) >= _MIN_CHARS:
                return text
        return "0"

    def _prose(self, rng: Rng, language: Language, length: int) -> str:
        paragraphs = self._sources[language].prose
        paragraph = paragraphs[int(rng.integers(len(paragraphs)))]
        if len(paragraph) <= length or rng.random() < 0.3:
            return _cut(paragraph, length)
        start = int(rng.integers(0, len(paragraph) - length + 1))
        start = paragraph.rfind(" ", 0, start + 1) + 1
        return _hyphenate(rng, paragraph, start, length)

    def _words(self, rng: Rng, language: Language, length: int) -> str:
        count = 1 if rng.random() < 0.5 else max(1, length // 9)
        chosen = []
        for _ in range(count):
            pool = self._sources[language]
            source = pool.words if rng.random() < 0.75 else pool.fields
            chosen.append(source[int(rng.integers(len(source)))])
        return _cut(" ".join(chosen), max(length, 14))

    def _form(self, rng: Rng, language: Language, length: int) -> str:
        kinds = list(VALUES)
        roll = rng.random()
        if roll < 0.3:
            fields = self._sources[language].fields
            filled = fields[int(rng.integers(len(fields)))]
        else:
            filled = value(rng, kinds[int(rng.integers(len(kinds)))], language)
        if roll > 0.7:
            return f"{figures.label(rng, language)} {filled}"
        return filled

    def _receipt(self, rng: Rng, language: Language, length: int) -> str:
        words = self._sources[language].words
        name = " ".join(words[int(rng.integers(len(words)))] for _ in range(int(rng.integers(1, 4))))
        item = name if rng.random() < 0.6 else value(rng, "goods", language)
        return figures.receipt_line(rng, language, item)

    def _figures(self, rng: Rng, language: Language, length: int) -> str:
        return figures.figure(rng, language)

    def _technical(self, rng: Rng, language: Language, length: int) -> str:
        other: Language = "en" if language == "ru" else "ru"
        parts, total = [], 0
        while total < length:
            roll = rng.random()
            if roll < 0.45:
                part = self._prose(rng, language, int(rng.integers(6, 24)))
            elif roll < 0.65:
                part = self._prose(rng, other, int(rng.integers(4, 16)))
            else:
                part = figures.token(rng)
            parts.append(part)
            total += len(part) + 1
        return _cut(" ".join(parts), length)


def _signs(text: str) -> float:
    """Share of characters that are neither letters nor spaces."""
    return 1 - sum(c.isalpha() or c == " " for c in text) / max(1, len(text))


def draw_kind(rng: Rng, mix: dict[TextKind, float]) -> TextKind:
    kinds = list(mix)
    return kinds[int(rng.choice(len(kinds), p=np.array(list(mix.values())) / sum(mix.values())))]


def _draw_length(rng: Rng) -> int:
    roll, total = rng.random(), 0.0
    for share, low, high in _LINE_LENGTHS:
        total += share
        if roll < total:
            return int(rng.integers(low, high + 1))
    return _LINE_LENGTHS[-1][2]


def _cut(text: str, length: int) -> str:
    """At most ``length`` characters, ended between words where possible."""
    if len(text) <= length:
        return text
    space = text.rfind(" ", 0, length + 1)
    return text[: space if space > 0 else length].strip()


def _hyphenate(rng: Rng, paragraph: str, start: int, length: int) -> str:
    """A window of a paragraph; now and then its last word is broken at the line's end."""
    window = paragraph[start : start + length]
    end = start + length
    breakable = end < len(paragraph) - 2 and paragraph[end - 2 : end + 2].isalpha()
    if breakable and rng.random() < 0.25:
        return window + "-"
    return _cut(window, window.rfind(" ")) if breakable and " " in window else window


def _vary_case(rng: Rng, text: str) -> str:
    roll = rng.random()
    if roll < 0.16:
        return text.upper()
    if roll < 0.2:
        return text.title()
    if roll < 0.23:
        return text.lower()
    return text


def _call(rng: Rng, text: str, max_chars: int) -> str:
    """The line, now and then with ! or ? after the letter that it ends in."""
    if not text[-1:].isalpha() or len(text) == max_chars or rng.random() >= _CALLS:
        return text
    return text + "!?"[int(rng.integers(2))]


def _sprinkle(rng: Rng, text: str) -> str:
    """Boost rare signs: quote a word, add a sign, a list mark or letter spacing."""
    roll = rng.random()
    words = text.split(" ")
    place = int(rng.integers(len(words)))
    if roll < 0.05:
        pair = _QUOTES[int(rng.integers(len(_QUOTES)))]
        words[place] = f"{pair[0]}{words[place]}{pair[1]}"
    elif roll < 0.1:
        sign = _SIGNS[int(rng.integers(len(_SIGNS)))]
        words[place] = f"{sign}{words[place]}" if rng.random() < 0.5 else f"{words[place]}{sign}"
    elif roll < 0.12:
        words.insert(place, _SIGNS[int(rng.integers(len(_SIGNS)))])
    elif roll < 0.14:
        words.insert(0, ("•", "-", "—", f"{place + 1}.", f"{place + 1})", "§", "*")[int(rng.integers(7))])
    elif roll < 0.15 and len(text) < 20:
        return " ".join(text)
    return " ".join(words)
