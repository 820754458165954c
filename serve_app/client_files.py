"""Which documents the command line names, and where their readings go."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENTS = frozenset({".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif"})


@dataclass(frozen=True, slots=True)
class Found:
    """A document, and its path below the folder that was named; its name alone, where none was."""

    path: Path
    below: Path


def find_documents(names: Sequence[str]) -> list[Found]:
    """Files, the documents in folders and below them, and what patterns match; each once.

    Raises FileNotFoundError for a name that is nothing of that, or a folder without documents.
    """
    found: dict[Path, Found] = {}
    for name in names:
        here = list(_named(name))
        if not here:
            raise FileNotFoundError(f"no documents in the folder: {name}")
        for each in here:
            found.setdefault(each.path.resolve(), each)
    return list(found.values())


def _named(name: str) -> Iterator[Found]:
    path = Path(name)
    if path.is_dir():
        within = sorted(each for each in path.rglob("*") if each.suffix.lower() in DOCUMENTS)
        yield from (Found(each, each.relative_to(path)) for each in within if each.is_file())
    elif path.is_file():
        yield Found(path, Path(path.name))
    elif matches := [Path(each) for each in sorted(glob.glob(name, recursive=True))]:
        yield from (Found(each, Path(each.name)) for each in matches if each.is_file())
    else:
        raise FileNotFoundError(f"no such file, folder or match: {name}")


def targets(documents: Sequence[Found], output: str | None, suffix: str) -> list[Path | None]:
    """Where each reading goes; None is standard output.

    Raises ValueError where several readings would share one place.
    """
    is_folder = output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())
    if output is None or (len(documents) == 1 and not is_folder):
        if len(documents) > 1:
            raise ValueError("several documents need a folder: -o DIR")
        return [None if output is None else Path(output)]
    places = [Path(output) / f"{document.below}.{suffix}" for document in documents]
    if len(set(places)) < len(places):
        raise ValueError("two documents have the same name; read their folders one by one")
    return list(places)
