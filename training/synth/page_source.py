"""What every page layout draws on: the faces, the running text, and one page's choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from training.synth.fonts import FontFace
from training.synth.hands import sample_pen
from training.synth.handwriting import TrackSet
from training.synth.layouts import Ink, Layout
from training.synth.palette import FaceBook, pen_ink, print_ink, process_ink
from training.synth.processes import Process
from training.synth.typeset import HANDWRITTEN, Style, sample_hand

# Of the hands of Russian pages, where pen tracks are at hand.
_TRACKED_SHARE = 0.45


class TextSource(Protocol):
    """Running text: ``words(rng, language, count)`` gives about ``count`` words of prose."""

    def words(self, rng: np.random.Generator, language: str, count: int) -> list[str]: ...


@dataclass(frozen=True)
class Source:
    """The material that all pages share."""

    faces: FaceBook
    text: TextSource
    tracks: TrackSet | None = None


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
            if families := book.fitting(faces, self.language):
                # Families first: a family of twenty weights must not crowd out a single face.
                family = families[int(self.rng.integers(len(families)))]
                return family[int(self.rng.integers(len(family)))]
        raise LookupError(f"no face of the catalogue sets {self.language!r}")

    def words(self, count: int) -> list[str]:
        return self.source.text.words(self.rng, self.language, count)

    def printed(self, group: str, size_pt: float, ink: Ink | None = None) -> Style:
        """A printed style with an ink of its own."""
        index = self.layout.add_ink(ink or print_ink(self.rng))
        return Style(self.face(group), self.layout.pt(size_pt), index)

    def develop(self, style: Style, processes: Sequence[Process]) -> None:
        """Puts the style's ink on paper by one of these processes."""
        inks = self.layout.inks
        inks[style.ink] = process_ink(self.rng, inks[style.ink], processes, style.size_px)

    def written(self, size_pt: float, neat: float) -> Style:
        """A handwritten style: one face, one pen, one manner."""
        index = self.layout.add_ink(pen_ink(self.rng))
        hand, face, tracks = (
            sample_hand(self.rng, self.layout.width_px, neat),
            self.face("hand"),
            self.source.tracks,
        )
        if tracks is not None and self.language == "ru" and self.chance(_TRACKED_SHARE):
            hand = replace(hand, pen=sample_pen(self.rng, tracks), shear=0.0, stretch=self.uniform(0.8, 1.1))
            face = replace(face, characters=face.characters & tracks.characters)
        return Style(face, self.layout.pt(size_pt), index, HANDWRITTEN, hand)


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
