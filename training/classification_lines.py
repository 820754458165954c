"""Made lines for the kind classifier: every face of the catalogue, and words of real pen strokes."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.corpora import HANDWRITTEN_MIX, Corpus, Language, draw_kind
from training.synth.fonts import FontFace, Style, catalogue
from training.synth.ink import InkStyle, render_text

Grey = npt.NDArray[np.uint8]
Rng = np.random.Generator
Strokes = list[npt.NDArray[np.float32]]

FONT_PX = 52
PEN_UNIT_PX = 0.8
# Script in name, print in looks: comics and brush logotypes would teach neither kind.
AMBIGUOUS = ("ComicNeue", "balsamiq", "pacifico", "mr-dafoe", "neucha", "playpen", "femkeklaver")


def set_lines(style: Style, number: int, rng: Rng) -> list[Grey]:
    """``number`` lines set in the faces of one style, every face equally often.

    Returns:
        Black on white, ``uint8 (h, w)``, without margins.
    """
    faces = [face for face in catalogue() if face.style == style and not face.name.startswith(AMBIGUOUS)]
    corpus = Corpus()
    lines: list[Grey] = []
    while len(lines) < number:
        line = _set_line(faces[len(lines) % len(faces)], corpus, rng)
        if line is not None:
            lines.append(line)
        else:
            faces = faces[1:] + faces[:1]
    return lines


def _set_line(face: FontFace, corpus: Corpus, rng: Rng) -> Grey | None:
    languages: list[Language] = [
        language for language, script in (("ru", "cyrillic"), ("en", "latin")) if script in face.scripts
    ]
    language = languages[int(rng.integers(len(languages)))]
    kind = draw_kind(rng, HANDWRITTEN_MIX) if face.style == "handwritten" else None
    text = corpus.text(rng, language, kind, max_chars=50)
    text = "".join(character for character in text if face.covers(character)).strip()
    if not text:
        return None
    mask = render_text(text, face, FONT_PX, _style(face.style, len(text), rng)).mask
    return trim(255 - mask, rng)


def _style(style: Style, length: int, rng: Rng) -> InkStyle:
    """Print with the small faults of type; script with letters that dance."""
    spread = 1.0 if style == "handwritten" else 0.12 * float(rng.random() < 0.4)
    jitter = np.tile(np.float32([0, 0, 0, 1, 1]), (length, 1))
    jitter += rng.standard_normal((length, 5), dtype=np.float32) * np.float32(
        [0.025 * FONT_PX, 0.035 * FONT_PX, 2.5, 0.05, 0.1]
    ) * np.float32(spread)
    jitter[:, 3:] = jitter[:, 3:].clip([0.7, 0.5], [1.3, 1])
    return InkStyle(
        letter_spacing_px=float(rng.normal(0, 0.03) * FONT_PX),
        word_spacing_px=float(rng.exponential(0.08) * FONT_PX),
        slant_deg=float(rng.normal(0, 5 if style == "handwritten" else 1.5)),
        weight_px=float(rng.normal(0, 1.2)),
        jitter=jitter,
    )


def trim(line: Grey, rng: Rng) -> Grey | None:
    """Cut a line of dark ink to its ink and a little more; None where there is none."""
    rows, columns = np.flatnonzero((line < 128).any(axis=1)), np.flatnonzero((line < 128).any(axis=0))
    if not len(rows):
        return None
    line = line[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # A label's box spans ascenders and descenders even where this text has none of them.
    pads = np.abs(rng.normal(0, 0.12, 4)) * max(line.shape[0], FONT_PX // 2) + 1
    return np.asarray(
        cv2.copyMakeBorder(line, *(int(pad) for pad in pads), cv2.BORDER_CONSTANT, value=255), dtype=np.uint8
    )


def stroke_lines(source: Path, number: int, rng: Rng) -> list[Grey]:
    """Words and short lines joined from single letters that people drew, one hand a line.

    Args:
        source: ``strokes.jsonl``: rows of ``{"writer", "char", "strokes": [[[x, y], ...], ...]}``.

    Returns:
        Dark ink on white, ``uint8 (h, w)``.
    """
    hands: dict[int, dict[str, list[Strokes]]] = defaultdict(lambda: defaultdict(list))
    for row in source.read_text(encoding="utf-8").splitlines():
        letter = json.loads(row)
        strokes = [np.array(stroke, np.float32) for stroke in letter["strokes"] if stroke]
        hands[letter["writer"]][letter["char"]].append(strokes)
    corpus, lines = Corpus(), []
    writers = list(hands.values())
    while len(lines) < number:
        text = corpus.text(rng, "ru", "words" if rng.random() < 0.7 else "form", max_chars=30)
        drawn = _draw(text, writers[len(lines) % len(writers)], rng)
        line = trim(drawn, rng) if drawn is not None else None
        if line is not None:
            lines.append(line)
    return lines


def _draw(text: str, hand: dict[str, list[Strokes]], rng: Rng) -> Grey | None:
    scale = PEN_UNIT_PX * math.exp(rng.normal(0, 0.2))
    gap = rng.uniform(-1, 9)
    pen, paths = 0.0, []
    for character in text:
        if character not in hand:
            pen += rng.uniform(12, 30)
            continue
        choices = hand[character]
        strokes = choices[int(rng.integers(len(choices)))]
        size, turn = math.exp(rng.normal(0, 0.08)), rng.normal(0, 0.05)
        matrix = size * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        turned = [stroke @ matrix.astype(np.float32) for stroke in strokes]
        height = max(float(stroke[:, 1].max()) for stroke in turned)
        width = max(float(stroke[:, 0].max()) for stroke in turned)
        shift = np.array([pen, _baseline(character) - height + rng.normal(0, 2.5)], np.float32)
        paths += [stroke + shift for stroke in turned]
        pen += width + gap + rng.normal(0, 1.5)
    if not paths:
        return None
    return _ink(_joined(paths, rng), scale, rng)


def _baseline(character: str) -> float:
    """How far below the top guide the letter ends, in tablet units: tails hang lower."""
    return 122.0 if character in "уруфдцщзДЦЩ" else 100.0


def _joined(paths: Sequence[npt.NDArray[np.float32]], rng: Rng) -> list[npt.NDArray[np.float32]]:
    """Some hands lift the pen between letters, others connect them."""
    if rng.random() < 0.5:
        return list(paths)
    joined = [paths[0]]
    for path in paths[1:]:
        step = path[0] - joined[-1][-1]
        if 0 < step[0] < 30 and abs(step[1]) < 60 and rng.random() < 0.8:
            joined[-1] = np.concatenate([joined[-1], path])
        else:
            joined.append(path)
    return joined


def _ink(paths: Sequence[npt.NDArray[np.float32]], scale: float, rng: Rng) -> Grey:
    slant = rng.normal(0.1, 0.15)
    placed = [
        np.stack([(path[:, 0] - slant * path[:, 1]) * scale, path[:, 1] * scale], axis=1) for path in paths
    ]
    low = np.min([path.min(axis=0) for path in placed], axis=0) - 8
    size = np.max([path.max(axis=0) for path in placed], axis=0) - low + 8
    canvas = np.full((max(8, int(size[1])), max(8, int(size[0]))), 255, np.uint8)
    thickness = int(rng.integers(2, 7))
    for path in placed:
        points = np.round((path - low) * 8).astype(np.int32)
        cv2.polylines(canvas, [points], False, int(rng.integers(0, 70)), thickness, cv2.LINE_AA, shift=3)
    return canvas
