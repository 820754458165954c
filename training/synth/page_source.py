"""What every page layout draws on: the faces, the running text, and one page's choices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from training.synth.fonts import FontFace
from training.synth.layouts import Hand, Ink, Layout
from training.synth.palette import FaceBook, pen_ink, print_ink
from training.synth.typeset import HANDWRITTEN, Style, sample_hand


class TextSource(Protocol):
    """Running text: ``words(rng, language, count)`` gives about ``count`` words of prose."""

    def words(self, rng: np.random.Generator, language: str, count: int) -> list[str]: ...


@dataclass(frozen=True)
class Source:
    """The material that all pages share."""

    faces: FaceBook
    text: TextSource


@dataclass
class Desk:
    """One page being laid out: the sheet, its language, the material, and the page's random stream."""

    rng: np.random.Generator
    layout: Layout
    language: str
    source: Source

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def face(self, group: str) -> FontFace:
        """A face of a group of :class:`FaceBook` for the page's language, else a nearby group's."""
        book = self.source.faces
        for faces in (getattr(book, group), book.mono if group != "hand" else (), book.text):
            if fitting := book.fitting(faces, self.language):
                return fitting[int(self.rng.integers(len(fitting)))]
        raise LookupError(f"no face of the catalogue sets {self.language!r}")

    def words(self, count: int) -> list[str]:
        return self.source.text.words(self.rng, self.language, count)

    def printed(self, group: str, size_pt: float, ink: Ink | None = None) -> Style:
        """A printed style with an ink of its own."""
        index = self.layout.add_ink(ink or print_ink(self.rng))
        return Style(self.face(group), self.layout.pt(size_pt), index)

    def written(self, size_pt: float, neat: float) -> Style:
        """A handwritten style: one face, one pen, one manner."""
        index = self.layout.add_ink(pen_ink(self.rng))
        hand: Hand = sample_hand(self.rng, self.layout.width_px, neat)
        return Style(self.face("hand"), self.layout.pt(size_pt), index, HANDWRITTEN, hand)


def new_layout(kind: str, width_mm: float, height_mm: float, dpi: float) -> Layout:
    per_mm = dpi / 25.4
    return Layout(kind, round(width_mm * per_mm), round(height_mm * per_mm), dpi)


@dataclass(frozen=True)
class Paragraphs:
    """Running text: whole paragraphs of the fetched texts, one a line of ``ru.txt`` and ``en.txt``."""

    by_language: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, directory: Path) -> Paragraphs:
        texts = {}
        for language in ("ru", "en"):
            path = directory / f"{language}.txt"
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing: run `python -m training.synth texts`")
            texts[language] = tuple(line for line in path.read_text(encoding="utf-8").split("\n") if line)
        return cls(texts)

    def words(self, rng: np.random.Generator, language: str, count: int) -> list[str]:
        paragraphs = self.by_language[language]
        words: list[str] = []
        while len(words) < count:
            words += paragraphs[int(rng.integers(len(paragraphs)))].split()
        return words[:count]
