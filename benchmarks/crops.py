"""Score recognition alone on labelled line crops, beside Tesseract on the same crops.

    python -m benchmarks.crops [--engine crnn|trocr] [--weights REFERENCE] [--sets NAME,NAME]
                               [--data DIRECTORY] [--rendered SHARDS] [--tesseract LINES]

Crops are cut along the labelled polygon (the box where there is none), tightly and as they stand: the
service gives the lines that it finds a margin and takes the upright rules of forms off.
Each set is scored by kind, on all rows and on the rows that never train nor tune (evaluation);
seconds per line are those of the whole engine on one thread, in batches of 16. Tesseract, where
it is installed, reads a sample of the evaluation lines in line mode, and so does the engine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import tesseract
from benchmarks.labelled_sets import BadLabels, Row, find_sets, read_set
from benchmarks.records import DATA, write_record
from deployments.geometry import DegenerateQuad, cut_crop
from deployments.recognition.config import RecognitionArgs
from deployments.recognition.engines import RecognitionEngine, build_engine
from deployments.types import Image, Kind
from deployments.weights import WeightsError, resolve
from serve_app.environment import ROOT
from training.metrics import score_readings
from training.recognition_evaluation import read_timed
from training.synth.shards import LineShards

RENDERED = ROOT / ".cache" / "lines" / "valid"
RENDERED_LINES = 1000
NO_DATA = 0
COLUMNS = ("lines", "cer", "wer", "exact", "s_per_line")


@dataclass(frozen=True, slots=True)
class Crop:
    """One labelled line: its RGB image, text, kind, and whether its row evaluates."""

    image: Image
    text: str
    kind: Kind
    evaluates: bool


@dataclass(frozen=True, slots=True)
class Read:
    """A crop with what was read on it, and the engine's seconds for it within its batch."""

    crop: Crop
    text: str
    seconds: float


def cut_set(labels: Path) -> Iterator[Crop]:
    """Crops of one set. Raises BadLabels for rows or images that cannot be used."""
    for row in read_set(labels):
        decoded = cv2.imread(str(row.image), cv2.IMREAD_COLOR)
        if decoded is None:
            raise BadLabels(f"{labels}: no readable image {row.image}")
        yield from _cut_row(row, np.ascontiguousarray(decoded[:, :, ::-1]))


def _cut_row(row: Row, image: Image) -> Iterator[Crop]:
    for line in row.lines:
        if not line.text.strip() or line.kind is None:
            continue
        if row.is_crop:
            yield Crop(image, line.text, line.kind, row.evaluates)
            continue
        try:
            yield Crop(cut_crop(image, line.quad), line.text, line.kind, row.evaluates)
        except DegenerateQuad:
            continue


def rendered_crops(folder: Path) -> list[Crop]:
    """The first rendered lines of a folder of shards; all of them evaluate."""
    lines = LineShards(folder)
    samples = (lines[i] for i in range(min(RENDERED_LINES, len(lines))))
    return [Crop(np.dstack([sample.image] * 3), sample.text, sample.kind, True) for sample in samples]


def read_crops(engine: RecognitionEngine, crops: Sequence[Crop]) -> list[Read]:
    """Read crops in batches of like width; a batch's seconds are shared out among its lines."""
    timed = read_timed(engine, [crop.image for crop in crops])
    return [Read(crop, reading.text, seconds) for crop, (reading, seconds) in zip(crops, timed, strict=True)]


def score(reads: Sequence[Read]) -> dict[str, float]:
    """Rates and seconds per line of some lines."""
    rates = score_readings((read.text, read.crop.text) for read in reads)
    seconds = sum(read.seconds for read in reads) / len(reads)
    return {
        "lines": rates.n,
        "cer": round(rates.cer, 4),
        "wer": round(rates.wer, 4),
        "exact": round(rates.exact, 4),
        "s_per_line": round(seconds, 5),
    }


def sample_evenly(reads: Sequence[Read], limit: int) -> list[Read]:
    """At most ``limit`` of the lines, spread over all of them."""
    if len(reads) <= limit:
        return list(reads)
    return [reads[i] for i in np.linspace(0, len(reads) - 1, limit).round().astype(int)]


def compare(reads: Sequence[Read], limit: int) -> dict[str, dict[str, float]]:
    """The engine and Tesseract on one sample of lines."""
    sample = sample_evenly(reads, limit)
    texts, seconds = tesseract.read_lines([read.crop.image for read in sample])
    each_s = seconds / len(sample)
    theirs = [Read(read.crop, text, each_s) for read, text in zip(sample, texts, strict=True)]
    return {"ours": score(sample), "tesseract": score(theirs)}


def score_set(engine: RecognitionEngine, crops: Sequence[Crop], tesseract_lines: int) -> dict[str, Any]:
    """Scores by kind; each with ``all``, ``evaluation`` and, if asked for, ``sample``."""
    reads = read_crops(engine, crops)
    scores: dict[str, Any] = {}
    for kind in Kind:
        of_kind = [read for read in reads if read.crop.kind is kind]
        evaluating = [read for read in of_kind if read.crop.evaluates]
        if not evaluating:
            continue
        scores[kind.value] = {"all": score(of_kind), "evaluation": score(evaluating)}
        if tesseract_lines:
            scores[kind.value]["sample"] = compare(evaluating, tesseract_lines)
    return scores


def table(results: dict[str, dict[str, Any]]) -> str:
    """The scores as text, a row each for all rows, evaluation rows, and both readers of the sample."""
    head = f"{'set':<22} {'kind':<12} {'rows':<11} {'reader':<10}"
    lines = [head + "".join(f"{name:>11}" for name in COLUMNS)]
    for name, kinds in results.items():
        for kind, parts in kinds.items():
            rows = [("all", "ours", parts["all"]), ("evaluation", "ours", parts["evaluation"])]
            rows += [("sample", reader, scores) for reader, scores in parts.get("sample", {}).items()]
            for part, reader, scores in rows:
                cells = "".join(f"{scores[column]:>11}" for column in COLUMNS)
                lines.append(f"{name:<22} {kind:<12} {part:<11} {reader:<10}" + cells)
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--engine", choices=("crnn", "trocr"), default="crnn")
    parser.add_argument("--weights", default="", help="shipped name or path; empty: the engine's own")
    parser.add_argument("--sets", default="", help="names of sets, parted by commas; without it all")
    parser.add_argument("--data", type=Path, default=DATA, help=f"directory of the sets ({DATA})")
    parser.add_argument("--rendered", type=Path, default=RENDERED, help="shards of the test split")
    parser.add_argument(
        "--tesseract", type=int, default=150, metavar="LINES", help="lines per set and kind; 0: none"
    )
    return parser.parse_args()


def _collect(options: argparse.Namespace) -> dict[str, list[Crop]]:
    names = [name for name in options.sets.split(",") if name]
    sets: dict[str, list[Crop]] = {}
    if options.data.is_dir():
        real = [name for name in names if name != "rendered"]
        if real or not names:
            found = find_sets(options.data, real)
            sets |= {name: list(cut_set(labels)) for name, labels in found.items()}
    else:
        print(f"SKIPPED: there are no labelled sets at {options.data}; name their directory with --data")
    if not names or "rendered" in names:
        if any(options.rendered.glob("lines-*.jsonl")):
            sets["rendered"] = rendered_crops(options.rendered)
        else:
            print(f"SKIPPED: no rendered lines at {options.rendered}; name shards with --rendered")
    return sets


def main() -> int:
    options = _options()
    if options.tesseract and not tesseract.is_installed():
        print("SKIPPED: Tesseract with rus and eng is not installed; nothing stands beside our figures")
        options.tesseract = 0
    # Tesseract runs on one thread too.
    torch.set_num_threads(1)
    try:
        sets = _collect(options)
        if not sets:
            return NO_DATA
        args = RecognitionArgs(engine=options.engine, weights=options.weights, device="cpu")
        engine = build_engine(args)
        digests = resolve(args.reference, args.engine).metadata.get("sha256", {})
    except (BadLabels, WeightsError) as error:
        print(error, file=sys.stderr)
        return 1
    engine.warm_up()
    results = {}
    for name, crops in sets.items():
        print(f"{name}: {len(crops)} lines", file=sys.stderr)
        results[name] = score_set(engine, crops, options.tesseract)
    print(table(results))
    figures = {"engine": options.engine, "weights": args.reference, "sha256": digests, "sets": results}
    print(f"\nwritten to {write_record(f'crops-{options.engine}', figures).relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
