"""What a run has to do: which documents, where their results go, and which are there already."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from serve_app.batch.storage import Entry, Storage
from serve_app.client_files import DOCUMENTS
from serve_app.config import AppConfig
from serve_app.in_process import Tuning
from serve_app.render.formats import FILE_SUFFIXES
from serve_app.schemas import OcrQuery, OutputFormat

SETTINGS = "_batch/settings.json"

# Limits refuse documents and change no result; a document that was refused is tried again anyway.
_DECISIVE = {"detection", "classification", "recognition", "pipeline"}
_SPEED_ONLY = frozenset({"device", "gpu_memory_fraction", "pages_in_flight", "batch", "max_step_s"})


class OtherSettings(Exception):
    """The output has results of other settings; the message says which differ."""


class Settings(BaseModel):
    """All that decides what is in the results: one output has results of one of these."""

    model_config = ConfigDict(frozen=True)

    formats: tuple[OutputFormat, ...]
    query: OcrQuery
    config: AppConfig
    tuning: Tuning

    def described(self) -> dict[str, Any]:
        """As JSON, for people and for comparison: only what differs from its default, so that a
        setting which is new in a later version is no difference."""
        return {
            "formats": sorted(self.formats),
            "query": self.query.model_dump(mode="json", exclude_defaults=True),
            "config": _without(
                self.config.model_dump(mode="json", exclude_defaults=True, include=_DECISIVE), _SPEED_ONLY
            ),
            "tuning": _without(dict(self.tuning), _SPEED_ONLY),
        }


def _without(value: Any, keys: Collection[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without(below, keys) for key, below in value.items() if key not in keys}


@dataclass(frozen=True, slots=True)
class Task:
    """One document that is to be read: its path below the input, and its size."""

    path: str
    size_bytes: int


def is_document(path: str) -> bool:
    """Whether a file's name is that of a document; hidden files are none."""
    parts = PurePosixPath(path)
    return parts.suffix.lower() in DOCUMENTS and not any(part.startswith(".") for part in parts.parts)


def result_path(document: str, output: OutputFormat) -> str:
    """Where a result goes: the document's path with the format's suffix, below the output."""
    return f"{document}.{FILE_SUFFIXES[output]}"


def tasks(
    documents: Sequence[Entry],
    results: Mapping[str, Entry],
    formats: Sequence[OutputFormat],
    is_to_be_read: Callable[[Entry], bool],
) -> Iterator[Task]:
    """The documents without all their results, changed since these were written, or ``is_to_be_read``."""
    for document in documents:
        written = [results.get(result_path(document.path, output)) for output in formats]
        is_read = all(result is not None and not _is_newer(document, result) for result in written)
        if not is_read or is_to_be_read(document):
            yield Task(document.path, document.size_bytes)


def _is_newer(document: Entry, result: Entry) -> bool:
    if document.modified is None or result.modified is None:
        return False
    return document.modified > result.modified


def claim(output: Storage, settings: Settings, source: Storage) -> None:
    """Mark the output with the settings of its results, and with the input they are of.

    Raises:
        OtherSettings: it has results of others, or of another input, whose files may have the same names.
        OSError: it cannot be read or written.
    """
    wanted = settings.described() | {"input": source.base}
    if output.has(SETTINGS):
        try:
            present = json.loads(output.read(SETTINGS))
        except ValueError:
            raise OtherSettings(f"{SETTINGS} in the output is not what this program wrote") from None
        if isinstance(present, dict):
            # Outputs of earlier versions do not tell.
            present.setdefault("input", source.base)
        if present != wanted:
            differing = ", ".join(sorted(_differences(present, wanted)))
            of = "another input" if differing == "input" else f"other settings ({differing})"
            raise OtherSettings(f"the output has results of {of}; choose another")
        return
    output.write(SETTINGS, json.dumps(wanted, indent=1, sort_keys=True, ensure_ascii=False).encode())


def _differences(present: Any, wanted: Any, path: str = "") -> Iterator[str]:
    if isinstance(present, dict) and isinstance(wanted, dict):
        for key in present.keys() | wanted.keys():
            below = f"{path}.{key}" if path else key
            yield from _differences(present.get(key), wanted.get(key), below)
    elif present != wanted:
        yield path
