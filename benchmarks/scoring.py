"""Scores of what a service answers against labelled sets: words, lines, kinds, characters.

Text is compared after :func:`~training.metrics.fold`: typographic variants, letter case and the optional dots
of a Russian letter do not count as errors. Scores are quotients of sums over a set, not means of
pages: a page weighs by what stands on it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from rapidfuzz.distance import Levenshtein

from deployments.types import Kind, Points
from training.detection_metrics import DetectionCounts, match_lines
from training.metrics import fold


def words(text: str) -> Counter[str]:
    """Bag of words: runs of letters, digits and underscores after :func:`~training.metrics.fold`."""
    return Counter(re.findall(r"\w+", fold(text)))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as found or as labelled; ``quad`` is float32 (4, 2), pixels of the page."""

    quad: Points
    text: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What was compared on some pages or crops; adds up."""

    items: int = 0
    failed: int = 0
    words_found: int = 0
    words_labelled: int = 0
    words_right: int = 0
    characters: int = 0
    character_edits: int = 0
    page_characters: int = 0
    page_edits: int = 0
    ordered: int = 0
    in_order: int = 0
    kinds: int = 0
    kinds_right: int = 0
    lines: DetectionCounts = field(default_factory=DetectionCounts)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def score_page(found: Sequence[Line], labelled: Sequence[Line], *, by_quad: bool) -> Counts:
    """Compare one page: its words, its text in reading order, its lines, and the kinds of the pairs.

    Both lists are in reading order. ``by_quad`` compares the lines' quads; otherwise their upright
    bounds, for labels that are boxes.
    """
    read, truth = (
        words("\n".join(line.text for line in found)),
        words("\n".join(line.text for line in labelled)),
    )
    matching = match_lines([line.quad for line in found], [line.quad for line in labelled], by_quad)
    pairs = [(found[match.found].kind, labelled[match.labelled].kind) for match in matching.matches]
    order = [match.labelled for match in sorted(matching.matches, key=lambda match: match.found)]
    text, true_text = (fold(" ".join(line.text for line in lines)) for lines in (found, labelled))
    return Counts(
        items=1,
        words_found=read.total(),
        words_labelled=truth.total(),
        words_right=(read & truth).total(),
        page_characters=max(len(text), len(true_text)),
        page_edits=Levenshtein.distance(text, true_text),
        ordered=len(order),
        in_order=longest_increasing(order),
        kinds=len(pairs),
        kinds_right=sum(one == other for one, other in pairs),
        lines=matching.counts,
    )


def longest_increasing(order: Sequence[int]) -> int:
    """Length of the longest increasing subsequence: how many lines need not move to be in order."""
    ends: list[int] = []
    for place in order:
        at = bisect_left(ends, place)
        ends[at : at + 1] = [place]
    return len(ends)


def score_crop(text: str, kind: Kind | None, labelled: Line) -> Counts:
    """Compare the reading of one line that was sent as an image of its own."""
    read, truth = fold(text), fold(labelled.text)
    return Counts(
        items=1,
        characters=len(truth),
        character_edits=Levenshtein.distance(read, truth),
        kinds=1,
        kinds_right=int(kind == labelled.kind),
    )


def unread_page(labelled: Sequence[Line]) -> Counts:
    """A page that the service failed on: everything on it is missed."""
    missed = words("\n".join(line.text for line in labelled)).total()
    length = len(fold(" ".join(line.text for line in labelled)))
    return Counts(
        items=1,
        failed=1,
        words_labelled=missed,
        page_characters=length,
        page_edits=length,
        lines=DetectionCounts(labelled=len(labelled)),
    )


def unread_crop(labelled: Line) -> Counts:
    """A crop that the service failed on: every character and the kind are wrong."""
    length = len(fold(labelled.text))
    return Counts(items=1, failed=1, characters=length, character_edits=length, kinds=1)


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    return sum(counts, Counts())


def summarize(counts: Counts) -> dict[str, float | int]:
    """The scores that the counts allow, rounded to four digits: of pages, of crops, or both."""
    scores: dict[str, float | int] = {"n": counts.items, "failed": counts.failed}
    if counts.words_labelled:
        both = counts.words_found + counts.words_labelled
        scores["word_precision"] = _share(counts.words_right, counts.words_found)
        scores["word_recall"] = _share(counts.words_right, counts.words_labelled)
        scores["word_f1"] = _share(2 * counts.words_right, both)
    if counts.lines.labelled:
        scores["line_f1"] = round(counts.lines.f1, 4)
        scores["line_iou"] = round(counts.lines.mean_iou, 4)
    if counts.page_characters:
        scores["page_text_error"] = _share(counts.page_edits, counts.page_characters)
    if counts.ordered:
        scores["in_order"] = _share(counts.in_order, counts.ordered)
    if counts.characters:
        scores["cer"] = _share(counts.character_edits, counts.characters)
    if counts.kinds:
        scores["kind_accuracy"] = _share(counts.kinds_right, counts.kinds)
    return scores


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
