"""What became of every document: the manifest beside the results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from serve_app.batch.plan import result_path
from serve_app.batch.storage import Entry, Storage
from serve_app.schemas import OutputFormat

MANIFEST = "_batch/manifest.jsonl"

# The whole manifest is written each time; it may take a twentieth of the time at most.
_LEAST_INTERVAL_S = 15.0
_INTERVAL_PER_WRITE = 20.0


class Record(BaseModel):
    """One document: whether it was read, and what its results are, or why not.

    ``failed_pages`` could not be read while others were; their errors stand in the results.
    ``size_bytes`` and ``modified`` are those of the document when the run found it, if known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: str
    size_bytes: int | None = None
    modified: datetime | None = None
    status: Literal["read", "failed"]
    results: tuple[str, ...] = ()
    pages: int = 0
    failed_pages: int = 0
    seconds: float = 0.0
    code: str = ""
    detail: str = ""


class Manifest:
    """The records of an output, over all runs; the newest of a document counts."""

    def __init__(self, output: Storage) -> None:
        """Takes over what earlier runs left; lines that are none of ours are dropped."""
        self._output = output
        self._records: dict[str, Record] = {}
        self._documents: dict[str, Entry] = {}
        # Of documents that were replaced and are not read yet: without them their results would pass for new.
        self._outdated: dict[str, Record] = {}
        self._interval_s = _LEAST_INTERVAL_S
        self._written_s = time.monotonic()
        if output.has(MANIFEST):
            self._records = {record.document: record for record in _parse(output.read(MANIFEST))}

    def add(self, record: Record) -> None:
        """Keep a record, and write the manifest if that was long ago."""
        self._records[record.document] = self._dated(record)
        if time.monotonic() - self._written_s > self._interval_s:
            self.write()

    def is_of_another(self, document: Entry) -> bool:
        """Whether the record of a document tells of another file, newer or older, that had its name."""
        record = self._records.get(document.path)
        if record is None or record.size_bytes is None:
            return False
        return (record.size_bytes, record.modified) != (document.size_bytes, document.modified)

    def is_to_be_read(self, document: Entry) -> bool:
        """Whether a document is to be read though it has results: they are of another file, or it failed."""
        record = self._records.get(document.path)
        has_failed = record is not None and record.status == "failed"
        return has_failed or self.is_of_another(document)

    def start(
        self, documents: Sequence[Entry], left: Collection[str], formats: Sequence[OutputFormat]
    ) -> None:
        """Bring the records in line with what is there: ``left`` of the documents are to be read.

        Others that no record tells of were read by a run that was broken off. Records of documents
        that are to be read, or are no longer in the input, are forgotten; those of replaced documents
        are kept aside until these are read.
        """
        self._documents = {document.path: document for document in documents}
        self._outdated = {
            document.path: self._records[document.path]
            for document in documents
            if self.is_of_another(document)
        }
        found = {}
        for path in self._documents.keys() - left:
            record = self._records.get(path)
            if record is None or record.status != "read":
                results = tuple(result_path(path, output) for output in formats)
                record = Record(document=path, status="read", results=results)
            found[path] = self._dated(record)
        self._records = found

    def _dated(self, record: Record) -> Record:
        document = self._documents.get(record.document)
        if document is None:
            return record
        dates = {"size_bytes": document.size_bytes, "modified": document.modified}
        return record.model_copy(update=dates)

    def knows(self, document: str) -> bool:
        """Whether there is a record of a document."""
        return document in self._records

    def write(self) -> None:
        """Write the manifest, in the order of documents. Raises OSError."""
        begun_s = time.monotonic()
        records = self._outdated | self._records
        lines = (records[name].model_dump_json() for name in sorted(records))
        self._output.write(MANIFEST, "".join(f"{line}\n" for line in lines).encode())
        self._written_s = time.monotonic()
        self._interval_s = max(_LEAST_INTERVAL_S, _INTERVAL_PER_WRITE * (self._written_s - begun_s))

    def failures(self) -> list[Record]:
        """Documents that were not read."""
        return [record for _, record in sorted(self._records.items()) if record.status == "failed"]

    def codes(self) -> dict[str, int]:
        """Number of failures by code, the most frequent first."""
        return dict(Counter(record.code for record in self.failures()).most_common())


def _parse(content: bytes) -> Iterable[Record]:
    for line in content.splitlines():
        try:
            yield Record.model_validate_json(line)
        except ValidationError:
            continue
