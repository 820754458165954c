"""Lines that the kind classifiers learn from, and those they are judged on.

Real rows follow the splits that each set's README states. One training row in ten is held out
of training for the calibration of probabilities. Evaluation rows do neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from deployments.classification.scores import KINDS
from deployments.geometry import DegenerateQuad, cut_crop
from deployments.grey import Grey, grey_of
from deployments.types import Image, Kind
from training.classification_lines import printed_shards, set_lines, written_lines
from training.labelled_lines import TRAINING_ROWS, line_quad, read_image, read_rows
from training.lines_data import NoLines

Part = Literal["training", "calibration", "evaluation"]

LICENCES: Mapping[str, str] = {
    "receipts_en": "MIT (ICDAR 2019 SROIE, zzzDavid/ICDAR-2019-SROIE)",
    "typewritten_en": "CC-BY 4.0 (EHRI, FloChiff/ehri-dataset)",
    "letters_en_mixed": "CC-BY 4.0 (Guimaraes, Ozturk, Maurel: Memorials of Jane Lathrop Stanford)",
    "letters_en_cursive": "CC-BY-SA 4.0 (jschaefer738b/JosephHookerHTR; images (c) RBG Kew)",
    "lines_ru_historic": "MIT (Digital Peter, ai-forever/digital_peter_aij2020)",
    "strokes_ru": "GPL-3.0 (Skvayzer/russian_handwritings_tracked)",
}
CALIBRATION_EVERY = 10
MARGIN = 0.25
CUT_HEIGHT_PX = 96
# How often a line of a source is drawn, within its kind.
SHARES: Mapping[Kind, Mapping[str, float]] = {
    Kind.HANDWRITTEN: {
        "letters_en_cursive": 0.22,
        "letters_en_mixed": 0.15,
        "lines_ru_historic": 0.13,
        "strokes": 0.2,
        "faces": 0.4,
        "sets": 0.4,
    },
    Kind.PRINTED: {
        "receipts_en": 0.32,
        "typewritten_en": 0.12,
        "letters_en_mixed": 0.14,
        "faces": 0.3,
        "shards": 0.22,
        "sets": 0.4,
    },
}


@dataclass(frozen=True, slots=True)
class LabelledCrop:
    """A line as the service would cut it: ``uint8 (h, w, 3)``."""

    image: Image
    kind: Kind
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line to learn from: grey, with ``margin_px`` of its surroundings where they are known."""

    grey: Grey
    margin_px: int
    kind: Kind
    source: str


def _rows(root: Path, name: str, part: Part) -> list[dict[str, Any]]:
    if part == "evaluation":
        return read_rows(root / name, "evaluate")
    held = part == "calibration"
    return [
        row
        for i, row in enumerate(read_rows(root / name, "train"))
        if (i % CALIBRATION_EVERY == CALIBRATION_EVERY - 1) == held
    ]


def labelled_crops(root: Path, name: str, part: Part) -> Iterator[LabelledCrop]:
    """Lines of a set, cut along their polygons or boxes by the service's own cutter."""
    for row in _rows(root, name, part):
        page = read_image(root / name / row["image"])
        if "lines" not in row:
            yield LabelledCrop(_limited(page), Kind(row["kind"]), name, row["text"])
            continue
        for line in row["lines"]:
            try:
                crop = cut_crop(page, line_quad(line))
            except DegenerateQuad:
                continue
            yield LabelledCrop(crop, Kind(line["kind"]), name, line["text"])


def _limited(crop: npt.NDArray[np.uint8], height_px: int = 64) -> npt.NDArray[np.uint8]:
    """The service cuts no crop higher than this."""
    if crop.shape[0] <= height_px:
        return crop
    size = (max(1, round(crop.shape[1] * height_px / crop.shape[0])), height_px)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def real_lines(root: Path, name: str) -> Iterator[SourceLine]:
    """Training lines of a set, with a quarter of their height around them."""
    return _source_lines(root / name, _rows(root, name, "training"), name)


def folder_lines(folder: Path) -> Iterator[SourceLine]:
    """All lines of a folder with labels.jsonl: rendered pages, or a user's own."""
    return _source_lines(folder, read_rows(folder, "all"), "sets")


def _source_lines(folder: Path, rows: Sequence[Mapping[str, Any]], name: str) -> Iterator[SourceLine]:
    for row in rows:
        page = read_image(folder / row["image"])
        if "lines" not in row:
            yield SourceLine(grey_of(_limited(page)), 0, Kind(row["kind"]), name)
            continue
        for line in row["lines"]:
            try:
                crop = cut_crop(page, line_quad(line), CUT_HEIGHT_PX, MARGIN)
            except DegenerateQuad:
                continue
            margin_px = round(crop.shape[0] * MARGIN / (1 + 2 * MARGIN))
            yield SourceLine(grey_of(crop), margin_px, Kind(line["kind"]), name)


@dataclass(frozen=True, slots=True)
class LinePlan:
    """What to learn from.

    ``made`` lines are set in type, half as many in script faces and half as many written with
    pen tracks, and as many taken from ``shards``. ``sets`` are folders with labels.jsonl all of
    whose lines train. ``without`` names sources to leave out, for leave-one-set-out experiments.
    """

    root: Path
    made: int = 6000
    shards: tuple[Path, ...] = ()
    sets: tuple[Path, ...] = ()
    without: tuple[str, ...] = ()
    seed: int = 0


def training_lines(plan: LinePlan) -> list[SourceLine]:
    """All lines to learn from."""
    rng = np.random.default_rng(plan.seed)
    lines = [
        line
        for name, rows in TRAINING_ROWS.items()
        if rows and name not in plan.without
        for line in real_lines(plan.root, name)
    ]
    if "faces" not in plan.without:
        lines += _made("faces", Kind.PRINTED, set_lines("printed", plan.made, rng))
        lines += _made("faces", Kind.HANDWRITTEN, set_lines("handwritten", plan.made // 2, rng))
    if "strokes" not in plan.without:
        written = written_lines(plan.root / "strokes_ru", plan.made // 2, rng)
        lines += _made("strokes", Kind.HANDWRITTEN, written)
    if plan.shards and "shards" not in plan.without:
        lines += _made("shards", Kind.PRINTED, printed_shards(plan.shards, plan.made, rng))
    lines += [line for folder in plan.sets for line in folder_lines(folder)]
    return lines


def _made(source: str, kind: Kind, greys: Sequence[Grey]) -> list[SourceLine]:
    return [SourceLine(_limited(grey), 0, kind, source) for grey in greys]


class Mixture:
    """Draws lines: both kinds equally often, each kind's sources by their shares."""

    def __init__(self, lines: Sequence[SourceLine]) -> None:
        self._pools: list[list[list[SourceLine]]] = []
        self._weights: list[npt.NDArray[np.float64]] = []
        for kind in KINDS:
            shares = SHARES[kind]
            pools = {name: [x for x in lines if x.kind is kind and x.source == name] for name in shares}
            present = [name for name, pool in pools.items() if pool]
            if not present:
                raise NoLines(f"no {kind} lines to learn from")
            weights = np.array([shares[name] for name in present])
            self._pools.append([pools[name] for name in present])
            self._weights.append(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> tuple[SourceLine, int]:
        """A line and the index of its kind in ``KINDS``."""
        kind = int(rng.integers(len(KINDS)))
        pool = self._pools[kind][int(rng.choice(len(self._weights[kind]), p=self._weights[kind]))]
        return pool[int(rng.integers(len(pool)))], kind
