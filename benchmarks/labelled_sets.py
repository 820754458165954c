"""The labelled sets: a folder each, with images and labels.jsonl; which of their rows evaluate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scoring import Line
from deployments.types import Kind, Points
from training.labelled_lines import TRAINING_ROWS, is_trained_twin, line_quad

_NOWHERE: Points = np.zeros((4, 2), np.float32)


class BadLabels(Exception):
    """A labels.jsonl does not say what a set must say."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image. ``is_crop``: it shows a single line, which is then the only one."""

    image: Path
    lines: tuple[Line, ...]
    is_crop: bool
    by_quad: bool
    evaluates: bool


def find_sets(directory: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """The sets below a directory, or those named. Raises BadLabels for a name that is not there."""
    found = {path.parent.name: path for path in sorted(directory.glob("*/labels.jsonl"))}
    if missing := [name for name in names if name not in found]:
        raise BadLabels(f"no set {', '.join(missing)} in {directory}; there are {', '.join(found) or 'none'}")
    return {name: path for name, path in found.items() if not names or name in names}


def read_set(labels: Path) -> list[Row]:
    """The rows of a set, in the order of the file. Raises BadLabels with file and line."""
    records = labels.read_text(encoding="utf-8").splitlines()
    first = TRAINING_ROWS.get(labels.parent.name, 0)
    rows = []
    for index, record in enumerate(records):
        try:
            rows.append(_row(json.loads(record), labels.parent, evaluates=index >= first))
        except (ValueError, KeyError, TypeError) as error:
            raise BadLabels(f"{labels}:{index + 1}: {error!r}") from error
    return rows


def _row(record: dict[str, Any], directory: Path, *, evaluates: bool) -> Row:
    image = directory / record["image"]
    evaluates = evaluates and not is_trained_twin(image)
    if "text" in record:
        line = Line(_NOWHERE, record["text"], Kind(record["kind"]))
        return Row(image, (line,), is_crop=True, by_quad=False, evaluates=evaluates)
    lines = tuple(Line(line_quad(entry), entry["text"], Kind(entry["kind"])) for entry in record["lines"])
    by_quad = any("polygon" in entry for entry in record["lines"])
    return Row(image, lines, is_crop=False, by_quad=by_quad, evaluates=evaluates)
