"""Made lines for the kind classifiers: every face of the catalogue, and hands after real pen tracks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deployments.grey import Grey
from deployments.types import Kind
from training.synth.corpora import HANDWRITTEN_MIX, Corpus, Language, draw_kind
from training.synth.fonts import FontFace, Style, catalogue
from training.synth.hands import sample_pen
from training.synth.handwriting import load_tracks, write
from training.synth.ink import InkStyle, render_text
from training.synth.shards import LineShards

Rng = np.random.Generator

FONT_PX = 52
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
    languages: list[Language] = ["ru"] if "cyrillic" in face.scripts else []
    languages += ["en"] if "latin" in face.scripts else []
    language = languages[int(rng.integers(len(languages)))]
    kind = draw_kind(rng, HANDWRITTEN_MIX) if face.style == "handwritten" else None
    text = corpus.text(rng, language, kind, max_chars=50)
    text = "".join(character for character in text if face.covers(character)).strip()
    if not text:
        return None
    mask = render_text(text, face, FONT_PX, _style(face.style, len(text), rng)).mask
    return trim(255 - mask, rng)


def _style(style: Style, length: int, rng: Rng) -> InkStyle:
    """Print with the small faults of type; script with letters that dance, or as regular as a neat hand."""
    dancing = style == "handwritten" and rng.random() < 0.7
    spread = 1.0 if dancing else 0.12 * float(rng.random() < 0.4)
    jitter = np.tile(np.array([0, 0, 0, 1, 1], np.float32), (length, 1))
    jitter += (
        rng.standard_normal((length, 5), dtype=np.float32)
        * np.array([0.025 * FONT_PX, 0.035 * FONT_PX, 2.5, 0.05, 0.1], np.float32)
        * np.float32(spread)
    )
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
    top, bottom, left, right = pads.astype(int).tolist()
    return np.pad(line, ((top, bottom), (left, right)), constant_values=255)


def written_lines(folder: Path, number: int, rng: Rng) -> list[Grey]:
    """Words and short lines in varied hands after recorded pen tracks (``folder/strokes.jsonl``).

    Returns:
        Dark ink on white, ``uint8 (h, w)``.
    """
    tracks, corpus = load_tracks(folder), Corpus()
    lines: list[Grey] = []
    while len(lines) < number:
        text = corpus.text(rng, "ru", "words" if rng.random() < 0.7 else "form", max_chars=30)
        text = "".join(character for character in text if character in tracks.characters).strip()
        if text:
            line = trim(255 - write(text, tracks, sample_pen(rng, tracks), rng).mask, rng)
            lines += [] if line is None else [line]
    return lines


def printed_shards(directories: Sequence[Path], number: int, rng: Rng) -> list[Grey]:
    """Printed lines of synthetic shards, with the looks of type, dots, faxes and carbon copies.

    Their handwritten lines are left out: some are text faces bent until they pass for a hand,
    good for reading, but they would teach that print is handwriting.
    """
    shards = LineShards(*directories)
    lines: list[Grey] = []
    for index in rng.permutation(len(shards)):
        if len(lines) == number:
            break
        sample = shards[int(index)]
        if sample.kind is Kind.PRINTED:
            lines.append(np.array(sample.image))
    return lines
