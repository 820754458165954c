"""Scores of a recogniser on real and rendered lines, read through the engine that serves."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deployments.engine import Prepared
from deployments.errors import OcrError
from deployments.grey import grey_of
from deployments.recognition.engines import RecognitionEngine
from deployments.types import Image, Kind, Reading
from training import form_rules
from training.labelled_lines import TRAINING_ROWS, LabelledLine, read_lines
from training.lines_data import Source
from training.metrics import ReadingScore, score_readings
from training.paper_augment import apply_in_colour, exercise_book
from training.synth.shards import LineShards
from training.uneven_light import shaded

logger = logging.getLogger(__name__)
BATCH_LINES = 16
RENDERED_LINES = 1000
OUT_OF_FOCUS = 0.06
"""Sigma of the blur where it is evaluated, as a share of a line's height: two pixels of the network's 32."""


@dataclass(frozen=True, slots=True)
class SetResult:
    """Score of one set (one kind of it, where it mixes kinds); seconds are of the whole engine."""

    name: str
    score: ReadingScore
    s_per_line: float
    pairs: tuple[tuple[str, str], ...]


def read_all(engine: RecognitionEngine, crops: Sequence[Image]) -> list[Reading]:
    """Readings of crops in their order; batched by width, an unreadable crop reads as empty."""
    return [reading for reading, _ in read_timed(engine, crops)]


def read_timed(engine: RecognitionEngine, crops: Sequence[Image]) -> list[tuple[Reading, float]]:
    """Like :func:`read_all`, with the engine's seconds for each line: its share of its batch."""
    readings = [(Reading("", 0.0), 0.0)] * len(crops)
    prepared: list[tuple[int, Prepared[Any], float]] = []
    for i, crop in enumerate(crops):
        started_s = time.perf_counter()
        (outcome,) = engine.prepare([crop])
        if not isinstance(outcome, OcrError):
            prepared.append((i, outcome, time.perf_counter() - started_s))
    prepared.sort(key=lambda item: item[1].width)
    for start in range(0, len(prepared), BATCH_LINES):
        part = prepared[start : start + BATCH_LINES]
        started_s = time.perf_counter()
        read = engine.finish(engine.forward([item for _, item, _ in part]))
        each_s = (time.perf_counter() - started_s) / len(part)
        for (i, _, prepare_s), reading in zip(part, read, strict=True):
            if not isinstance(reading, OcrError):
                readings[i] = reading, prepare_s + each_s
    return readings


def evaluate_real(engine: RecognitionEngine, data: Path) -> list[SetResult]:
    """Scores on the evaluation rows of every known set under ``data``, by kind.

    Raises:
        FileNotFoundError: none of them is there.
    """
    results = []
    for name in TRAINING_ROWS:
        if (data / name / "labels.jsonl").is_file():
            lines = sorted(read_lines(data / name, "evaluate"), key=lambda line: line.kind)
            for kind, part in groupby(lines, key=lambda line: line.kind):
                results.append(_evaluate(engine, f"{name}, {kind}", list(part)))
    if not results:
        raise FileNotFoundError(f"{data}: nothing to evaluate in {', '.join(TRAINING_ROWS)}")
    return results


def evaluate_squared(engine: RecognitionEngine, data: Path) -> list[SetResult]:
    """Scores on the handwritten evaluation rows under ``data``, laid on the squares of an exercise book."""

    def squared(number: int, line: LabelledLine) -> Image:
        return apply_in_colour(line.image, exercise_book(number))

    return _evaluate_changed(engine, data, "on squares", squared, {Kind.HANDWRITTEN})


def evaluate_on_forms(engine: RecognitionEngine, data: Path) -> list[SetResult]:
    """Scores on the handwritten evaluation rows under ``data``, put into fields of a form."""

    def filled_in(number: int, line: LabelledLine) -> Image:
        grey = grey_of(line.image)
        return np.dstack([form_rules.apply(grey, form_rules.field_of_form(number))] * 3)

    return _evaluate_changed(engine, data, "in form fields", filled_in, {Kind.HANDWRITTEN})


def evaluate_shaded(engine: RecognitionEngine, data: Path) -> list[SetResult]:
    """Scores on the evaluation rows under ``data`` in light that changes along the line."""

    def in_shade(number: int, line: LabelledLine) -> Image:
        return shaded(line.image, np.random.default_rng(number))

    return _evaluate_changed(engine, data, "in uneven light", in_shade, set(Kind))


def evaluate_blurred(engine: RecognitionEngine, data: Path) -> list[SetResult]:
    """Scores on the evaluation rows under ``data``, out of focus; see :data:`OUT_OF_FOCUS`."""

    def out_of_focus(number: int, line: LabelledLine) -> Image:
        sigma_px = OUT_OF_FOCUS * line.image.shape[0]
        return np.asarray(cv2.GaussianBlur(line.image, (0, 0), sigma_px), np.uint8)

    return _evaluate_changed(engine, data, "out of focus", out_of_focus, set(Kind))


def _evaluate_changed(
    engine: RecognitionEngine,
    data: Path,
    how: str,
    change: Callable[[int, LabelledLine], Image],
    kinds: Set[Kind],
) -> list[SetResult]:
    """Scores of evaluation rows of these kinds after ``change``, which gets a row and its number."""
    results = []
    for name in TRAINING_ROWS:
        if (data / name / "labels.jsonl").is_file():
            rows = [line for line in read_lines(data / name, "evaluate") if line.kind in kinds]
            lines = [replace(line, image=change(number, line)) for number, line in enumerate(rows)]
            if lines:
                results.append(_evaluate(engine, f"{name} {how}", lines))
    return results


def evaluate_rendered(engine: RecognitionEngine, sources: Iterable[Source]) -> list[SetResult]:
    """Scores on the first :data:`RENDERED_LINES` lines of shard folders, by kind.

    Raises:
        FileNotFoundError: a source has no folder of shards.
    """
    results = []
    for folder, name in set_names(sources).items():
        shards = LineShards(folder)
        rows = [shards[i] for i in range(min(RENDERED_LINES, len(shards)))]
        lines = [LabelledLine(np.dstack([r.image] * 3), r.text, r.kind) for r in rows]
        lines.sort(key=lambda line: line.kind)
        for kind, part in groupby(lines, key=lambda line: line.kind):
            results.append(_evaluate(engine, f"{name}, {kind}", list(part)))
    return results


def set_names(sources: Iterable[Source]) -> dict[Path, str]:
    """Folders of sources, each once, by the shortest end of their path that no other one has.

    Raises:
        FileNotFoundError: a source has no folder of shards.
    """
    folders: dict[Path, None] = {}
    for source in sources:
        if not (found := source.folders()):
            raise FileNotFoundError(f"no lines at {source.pattern}")
        folders |= dict.fromkeys(folder.absolute() for folder in found)
    return {folder: _shortest_end(folder, folders.keys() - {folder}) for folder in folders}


def _shortest_end(folder: Path, others: Set[Path]) -> str:
    for length in range(1, len(folder.parts)):
        end = folder.parts[-length:]
        if not any(other.parts[-length:] == end for other in others):
            return "/".join(end)
    return str(folder)


def as_table(results: Sequence[SetResult]) -> str:
    """Markdown table of results."""
    head = "| set | lines | CER | WER | exact lines | s per line |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {r.name} | {r.score.n} | {r.score.cer:.1%} | {r.score.wer:.1%} | {r.score.exact:.1%} "
        f"| {r.s_per_line:.4f} |"
        for r in results
    )


def write_results(results: Sequence[SetResult], path: Path) -> None:
    """JSON of the scores, and every reading beside it as tab-separated text."""
    rows = {r.name: r.score.as_dict() | {"s_per_line": round(r.s_per_line, 5)} for r in results}
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    lines = [f"{r.name}\t{reference}\t{reading}" for r in results for reading, reference in r.pairs]
    path.with_suffix(".tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _evaluate(engine: RecognitionEngine, name: str, lines: Sequence[LabelledLine]) -> SetResult:
    started_s = time.perf_counter()
    readings = read_all(engine, [line.image for line in lines])
    seconds = time.perf_counter() - started_s
    pairs = tuple((reading.text, line.text) for reading, line in zip(readings, lines, strict=True))
    result = SetResult(name, score_readings(pairs), seconds / len(lines), pairs)
    logger.info("%s: CER %.4f over %d lines", name, result.score.cer, result.score.n)
    return result
