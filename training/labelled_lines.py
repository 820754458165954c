"""Real lines with their text: crops cut along the labels of a folder with ``labels.jsonl``.

A row is a page, ``{"image", "lines": [{"bbox", "text", "kind", "polygon"?}]}``, or a line,
``{"image", "text", "kind"}``; coordinates are pixels of the image, a bbox is x, y, width, height.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deployments.geometry import DegenerateQuad, cut_crop, quad_from_box
from deployments.types import Image, Kind, Points
from training.pictures import read_rgb

Split = Literal["train", "evaluate", "all"]

# Rows of each known set that may train, counted from the top; all the others only ever measure.
TRAINING_ROWS: Mapping[str, int] = {
    "pages_ru_printed": 0,
    "words_ru_handwritten": 0,
    "receipts_en": 60,
    "typewritten_en": 22,
    "letters_en_mixed": 22,
    "letters_en_cursive": 50,
    "lines_ru_historic": 300,
}

# Evaluation rows whose image is, to the byte, that of a training row under another name: weights have
# been trained on them, so they measure nothing.
TRAINED_TWINS = frozenset({("letters_en_mixed", "SC0033B_s4_b01_f14_i087.jpg"), ("receipts_en", "015.jpg")})


class EvaluationRows(ValueError):
    """Rows that measure what is trained were named to train on."""


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """One real line."""

    image: Image
    text: str
    kind: Kind


def read_lines(folder: Path, split: Split = "all", margin: float = 0.0) -> Iterator[LabelledLine]:
    """Lines of a set, page by page; lines without text or usable outline are left out.

    ``margin`` widens the cut on all sides, as a fraction of the line's height.

    Raises:
        FileNotFoundError: the folder holds no labels.jsonl, or an image is missing.
        ValueError: the split of this set is not known.
    """
    for row in read_rows(folder, split):
        page = read_image(folder / row["image"])
        if "lines" not in row:
            yield LabelledLine(page, row["text"], Kind(row["kind"]))
            continue
        for line in row["lines"]:
            crop = _cut(page, line, margin)
            if crop is not None and line["text"].strip():
                yield LabelledLine(crop, line["text"], Kind(line["kind"]))


def is_trained_twin(image: Path) -> bool:
    """Whether an image ``SET/images/NAME`` of a known set was trained on under another name."""
    return (image.parent.parent.name, image.name) in TRAINED_TWINS


def check_may_train(path: Path, rows: int | None = None) -> None:
    """Raise :class:`EvaluationRows` for a known set some of whose named rows only measure.

    ``rows`` are counted from its top, None stands for all; any other path may train.
    """
    count = TRAINING_ROWS.get(path.resolve().name)
    if count is None or (rows is not None and 0 <= rows <= count):
        return
    allowed = f"only its first {count} rows may train" if count else "it only evaluates"
    raise EvaluationRows(f"{path}: {allowed} (training.labelled_lines)")


def read_rows(folder: Path, split: Split) -> list[dict[str, Any]]:
    """Rows of a set's labels.jsonl as they stand there.

    Raises:
        FileNotFoundError: the folder holds no labels.jsonl.
        ValueError: the split of this set is not known.
    """
    with (folder / "labels.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    if split == "all":
        return rows
    if folder.name not in TRAINING_ROWS:
        raise ValueError(f"{folder.name}: which rows evaluate is not known; use the whole set")
    count = TRAINING_ROWS[folder.name]
    if split == "train":
        return rows[:count]
    return [row for row in rows[count:] if not is_trained_twin(folder / row["image"])]


def read_image(path: Path) -> Image:
    """Pixels of an image, ``uint8 (h, w, 3)`` RGB; raises FileNotFoundError where there is none."""
    decoded = read_rgb(path)
    if decoded is None:
        raise FileNotFoundError(f"no readable image at {path}")
    return decoded


def _cut(page: Image, line: dict[str, Any], margin: float) -> Image | None:
    try:
        return cut_crop(page, line_quad(line), margin=margin)
    except DegenerateQuad:
        return None


def line_quad(line: Mapping[str, Any]) -> Points:
    """Outline of a labelled line, ``float32 (4, 2)`` pixels of its page: its polygon, else its bbox."""
    polygon = line.get("polygon")
    if polygon and len(polygon) == 4:
        return np.asarray(polygon, np.float32)
    x, y, width, height = line["bbox"]
    return quad_from_box((x, y, width, height))
