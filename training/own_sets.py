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
from training.labelled_lines import TRAINING_ROWS
from training.lines_data import Source
from training.real import LabelError, RealLine, counted, csv_lines, cut, folder_lines, write_real

CUTS = {Kind.PRINTED: 4, Kind.HANDWRITTEN: 12}
"""How often a line is cut: as labelled, and jittered, since few lines are visited many times."""
HELD_OUT = 10
"""One image in so many validates; a set of fewer images only trains."""


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
        LabelError: as :func:`set_lines`, no line of the set can be used, or some of it only evaluates.
    """
    if own.path.resolve().name in TRAINING_ROWS and own.path.is_dir():
        raise LabelError(f"{own.path}: rows of it evaluate; `synth real --data` takes those that may train")
    train, valid = directory / "train", directory / "valid"
    if not train.is_dir():
        _cut_all(own.path, directory, seed)
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
    # Lines held out by a run that was ended before it had lines to train on would be in the way.
    shutil.rmtree(directory / "valid", ignore_errors=True)
    os.replace(unfinished, directory)


def _split(lines: Iterable[RealLine]) -> tuple[list[RealLine], list[RealLine]]:
    """Lines that train, and lines of every tenth image."""
    images: dict[Path, list[RealLine]] = {}
    for line in lines:
        images.setdefault(line.image, []).append(line)
    parts: tuple[list[RealLine], list[RealLine]] = [], []
    for number, group in enumerate(images.values(), start=1):
        parts[number % HELD_OUT == 0].extend(group)
    return parts
