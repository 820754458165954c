"""Characters of lines that are labelled as a whole, by a network in training: CRAFT's weak supervision.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019, section 3.2: within a labelled
text the character map so far is cut between its peaks. The nearer the number of pieces comes to the
number of letters, the more they are believed; where less than half agree, the letters are taken to be
equally wide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deployments.detection.craft import CHARACTER, CraftEngine, Heatmaps
from deployments.engine import Prepared
from deployments.geometry import project_points
from training.detection_augment import Straightened
from training.detection_data import DataError, LabelledPage
from training.detection_heatmaps import CharacterLine, as_row

Profile = npt.NDArray[np.float32]

# Less agreement than this, and the pieces are worth less than the assumption of equal widths.
LEAST_CONFIDENCE = 0.5
# A peak of the profile, the fall beside it, and what is blank, as shares of the line's highest score.
_PEAK, _FALL, _BLANK = 0.25, 0.08, 0.12


def write_characters(engine: CraftEngine, pages: Iterable[LabelledPage], out: Path) -> tuple[int, int]:
    """Write ``out/chars.jsonl`` for pages whose lines have texts; lines in all, and lines cut at peaks."""
    out.mkdir(parents=True, exist_ok=True)
    counts = [0, 0]
    with (out / "chars.jsonl").open("w", encoding="utf-8") as file:
        for page in pages:
            lines = page_characters(engine, page)
            counts[0] += len(lines)
            counts[1] += sum(line.confidence > LEAST_CONFIDENCE for line in lines)
            row = {"image": str(page.image.resolve()), "lines": [as_row(line) for line in lines]}
            file.write(json.dumps(row) + "\n")
    return counts[0], counts[1]


def page_characters(engine: CraftEngine, page: LabelledPage) -> list[CharacterLine]:
    """Characters of the lines of a page, in page pixels; raises DataError where the lines have no texts."""
    if len(page.texts) != len(page.quads):
        raise DataError(f"{page.image}: its lines have no texts, which tell how many characters to look for")
    straight = Straightened.of(page)
    (prepared,) = engine.prepare([straight.pixels])
    if not isinstance(prepared, Prepared):
        raise prepared
    (found,) = engine.forward([prepared])
    return [
        line_characters(quad, text, found)
        for quad, text in zip(straight.quads, page.texts, strict=True)
        if text.strip()
    ]


def line_characters(quad: npt.NDArray[np.float32], text: str, found: Heatmaps) -> CharacterLine:
    """Characters of one line with ``quad (4, 2)`` in page pixels."""
    on_map = project_points(quad, found.page.from_page) / found.stride
    (left, top), (right, bottom) = on_map.min(axis=0), on_map.max(axis=0)
    rows = slice(max(int(top), 0), max(int(np.ceil(bottom)), 1))
    columns = slice(max(int(left), 0), max(int(np.ceil(right)), 1))
    window = found.maps[CHARACTER][rows, columns]
    letters = len(text) - text.count(" ")
    edges = cut_at_peaks(window.max(axis=0)) if window.size else np.zeros((0, 2), np.float32)
    confidence = agreement(letters, len(edges))
    if confidence >= LEAST_CONFIDENCE:
        spans = (edges + columns.start - left) / max(right - left, 1e-3)
        return CharacterLine(_parts(quad, spans), confidence)
    inked = np.array([place for place, letter in enumerate(text) if letter != " "])
    spans = np.stack([inked, inked + 1], axis=1) / len(text)
    return CharacterLine(_parts(quad, spans), LEAST_CONFIDENCE)


def agreement(letters: int, pieces: int) -> float:
    """The paper's confidence, equation 2: 1 where both are equal, 0 where they differ by all letters."""
    return (letters - min(letters, abs(letters - pieces))) / letters


def cut_at_peaks(profile: Profile) -> npt.NDArray[np.float32]:
    """First and last edge of each peak of ``(W,)`` scores, ``float32 (N, 2)``: a watershed on a line."""
    highest = float(profile.max(initial=0.0))
    edges = []
    for start, end in pairwise(_watersheds(profile.tolist(), highest)):
        inked = start + np.flatnonzero(profile[start:end] >= _BLANK * highest)
        edges.append((inked[0], inked[-1] + 1))
    return np.array(edges, np.float32).reshape(-1, 2)


def _watersheds(scores: list[float], highest: float) -> list[int]:
    """Where the land of each peak begins, and the end of the last: valleys between falls deep enough."""
    bounds: list[int] = []
    begins, valley, peak, rises = 0, 0.0, 0.0, True
    for x, score in enumerate([*scores, -math.inf]):
        if rises:
            peak = max(peak, score)
            if peak > 0 and peak >= _PEAK * highest and score <= peak - _FALL * highest:
                bounds.append(begins)
                rises, valley, begins = False, score, x
        elif score < valley:
            valley, begins = score, x
        elif score >= valley + _FALL * highest:
            rises, peak = True, score
    return [*bounds, len(scores)] if bounds else []


def _parts(quad: npt.NDArray[np.float32], spans: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Quads ``(N, 4, 2)`` of parts of a quad, from ``spans (N, 2)``: shares of its way from left to right."""
    upper, lower = quad[1] - quad[0], quad[2] - quad[3]
    start, end = spans[:, :1], spans[:, 1:]
    corners = [quad[0] + start * upper, quad[0] + end * upper, quad[3] + end * lower, quad[3] + start * lower]
    return np.stack(corners, axis=1).astype(np.float32)
