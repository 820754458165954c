"""A set of one's own as training lines: a CSV ``File name,Text,Class`` or a folder with ``labels.jsonl``.

Its lines are cut once into shards under the run, every tenth image apart for validation, so that
a set joins training like any other source.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployments.types import Image, Kind
from deployments.weights import sha256
from training.labelled_lines import check_may_train
from training.lines_data import Source
from training.real import LabelError, RealLine, counted, csv_lines, cut, folder_lines, write_real

CUTS = {Kind.PRINTED: 4, Kind.HANDWRITTEN: 12}
"""How often a line is cut: as labelled, and jittered, since few lines are visited many times."""
HELD_OUT = 10
"""One image in so many validates; a set of fewer images only trains."""

LABELS = "labels.sha256"
"""File beside the lines of a set: the sum of the labels that they were cut by."""


@dataclass(frozen=True, slots=True)
class OwnSet:
    """A set with its weight against the other sources of a run."""

    path: Path
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> OwnSet:
        """Set of ``PATH`` or ``PATH=WEIGHT``.

        Raises:
            ValueError: the weight is no positive number.
        """
        source = Source.parse(text)
        return cls(Path(source.pattern), source.weight)


def set_lines(path: Path) -> Iterator[RealLine]:
    """Labelled lines of a set.

    Raises:
        LabelError: the path is no set, or its labels are not as they must be.
    """
    if path.suffix.lower() == ".csv" and path.is_file():
        return csv_lines(path)
    if (path / "labels.jsonl").is_file():
        return folder_lines(path)
    raise LabelError(f"{path}: neither a CSV file nor a folder with labels.jsonl")


def crops_of(path: Path, limit: int) -> list[Image]:
    """Grey crops ``(H, W)`` of the first ``limit`` usable lines of a set.

    Raises:
        LabelError: as :func:`set_lines`, or no line of the set can be used.
    """
    crops: list[Image] = []
    for line in set_lines(path):
        if len(crops) == limit:
            break
        if (text := line.label) and (sample := cut(line, text)) is not None:
            crops.append(sample.image)
    if not crops:
        raise LabelError(f"{path}: no line that can be used")
    return crops


def write_set(own: OwnSet, directory: Path, seed: int = 0) -> tuple[Source, Source | None]:
    """Cut a set into shards, once: a second call with the same directory keeps what is there.

    Args:
        own: the set.
        directory: where ``train`` and ``valid`` folders of shards go.
        seed: of the jittered cuts.

    Returns:
        The source to train on and, if the set has at least :data:`HELD_OUT` images, the one to
        validate on.

    Raises:
        LabelError: as :func:`set_lines`, no line of the set can be used, or the directory holds lines
            that were cut by other labels.
        EvaluationRows: some of the set only evaluates.
    """
    check_may_train(own.path)
    train, valid = directory / "train", directory / "valid"
    if not train.is_dir():
        _cut_all(own.path, directory, seed)
    elif own.path.exists() and (directory / LABELS).read_text(encoding="ascii") != _labels_sum(own.path):
        raise LabelError(
            f"{own.path}: {directory} holds the lines of other labels; remove it, or begin another run"
        )
    # A folder name is taken literally, whatever characters the user's path holds.
    held_out = Source.literal(valid) if any(valid.glob("lines-*.jsonl")) else None
    return Source.literal(train, own.weight), held_out


def _cut_all(path: Path, directory: Path, seed: int) -> None:
    """Cut a set under another name: a directory that bears its own is whole, whatever ended a run."""
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    learned, held = _split(counted(set_lines(path), path))
    if held:
        write_real(held, unfinished / "valid", dict.fromkeys(Kind, 1), seed)
    if not write_real(learned, unfinished / "train", CUTS, seed):
        raise LabelError(f"{path}: no line that can be used")
    (unfinished / LABELS).write_text(_labels_sum(path), encoding="ascii")
    # Lines held out by a run that was ended before it had lines to train on would be in the way.
    shutil.rmtree(directory / "valid", ignore_errors=True)
    os.replace(unfinished, directory)


def _labels_sum(path: Path) -> str:
    """SHA-256 of the file that holds the labels of a set."""
    return sha256(path / "labels.jsonl" if path.is_dir() else path)


def _split(lines: Iterable[RealLine]) -> tuple[list[RealLine], list[RealLine]]:
    """Lines that train, and lines of every tenth image."""
    images: dict[Path, list[RealLine]] = {}
    for line in lines:
        images.setdefault(line.image, []).append(line)
    parts: tuple[list[RealLine], list[RealLine]] = [], []
    for number, group in enumerate(images.values(), start=1):
        parts[number % HELD_OUT == 0].extend(group)
    return parts
