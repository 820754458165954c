"""Words of a line: their text, where they stand and how sure they are. Pure functions over regions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deployments.confidence import mean_confidence
from deployments.types import Points
from serve_app.results import Region

_WORD = re.compile(r"\S+")

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line; ``quad`` as in ``deployments.types``, ``confidence`` that of its characters."""

    text: str
    quad: Points
    confidence: float | None


def words_of(region: Region) -> list[Word]:
    """The words of a region's text in order, none where it has no text.

    They stand where the recogniser saw their characters; where it cannot tell, each takes the share
    of the line that its characters have of the text.
    """
    text = region.text or ""
    if len(region.char_spans) == len(text):
        spans: Sequence[Span] = region.char_spans
    else:
        spans = [(i / len(text), (i + 1) / len(text)) for i in range(len(text))]
    return [
        Word(
            match.group(),
            cut_quad(region.quad, spans[match.start()][0], spans[match.end() - 1][1]),
            _confidence(region, match.start(), match.end()),
        )
        for match in _WORD.finditer(text)
    ]


def cut_quad(quad: Points, left: float, right: float) -> Points:
    """The part of a quad between two shares of its width, 0 at its left end and 1 at its right."""
    top_left, top_right, bottom_right, bottom_left = quad
    top, bottom = top_right - top_left, bottom_right - bottom_left
    corners = (
        top_left + left * top,
        top_left + right * top,
        bottom_left + right * bottom,
        bottom_left + left * bottom,
    )
    return np.array(corners, dtype=np.float32)


def spans_in_line(spans: Sequence[Span], margin: float) -> tuple[Span, ...]:
    """Spans over a crop as spans over the line it was cut along.

    ``margin`` is how far the crop reaches beyond either end of the line, as a share of the line's
    width. What lies in the margins is moved to the line's ends.
    """
    if not spans:
        return ()
    shares = np.clip(np.array(spans) * (1 + 2 * margin) - margin, 0.0, 1.0)
    return tuple((left, right) for left, right in shares.tolist())


def _confidence(region: Region, start: int, end: int) -> float | None:
    """Geometric mean over the word's characters, as a reading's is over all; else the reading's."""
    confidences = region.char_confidences[start:end]
    if len(region.char_confidences) != len(region.text or "") or not confidences:
        return region.confidence
    return mean_confidence(confidences)
