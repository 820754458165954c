"""Documents and results of jobs as files: ``documents/<job>/1, 2, ..., result`` below a folder.

For worker threads. Raises OSError.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

_RESULT = "result"
_CHUNK_BYTES = 2**20
# Files that no job refers to are being written, or were left by a process that died.
_ORPHANED_AFTER_S = 3600.0


class JobFiles:
    """The files below ``directory``; nobody but the user may read them."""

    def __init__(self, directory: Path) -> None:
        self._root = directory / "documents"

    def write_documents(self, job_id: str, documents: Sequence[bytes]) -> None:
        """Keep the documents of a new job, all or none."""
        folder = self._root / job_id
        folder.mkdir(mode=0o700, parents=True)
        try:
            for number, data in enumerate(documents, 1):
                _write(folder / str(number), data)
            _sync_folder(folder)
        except BaseException:
            self.remove(job_id)
            raise

    def read_documents(self, job_id: str, count: int) -> list[bytes]:
        """The documents of a job, in order."""
        return [(self._root / job_id / str(number)).read_bytes() for number in range(1, count + 1)]

    def write_result(self, job_id: str, result: bytes, token: str) -> None:
        """Keep the result; ``token`` tells apart writers that do not know of each other."""
        folder = self._root / job_id
        passing = folder / f"{_RESULT}.{token}"
        try:
            _write(passing, result)
            passing.replace(folder / _RESULT)
            _sync_folder(folder)
        except BaseException:
            passing.unlink(missing_ok=True)
            raise

    def open_result(self, job_id: str) -> tuple[int, BinaryIO]:
        """Size in bytes and the open file; it can be read to its end even when the job is removed."""
        file = (self._root / job_id / _RESULT).open("rb")
        return os.fstat(file.fileno()).st_size, file

    def remove(self, job_id: str) -> None:
        """Remove what there is of a job."""
        shutil.rmtree(self._root / job_id, ignore_errors=True)

    def orphans(self, known: set[str]) -> Iterator[str]:
        """Jobs that have files but are not ``known``, and have had for a while."""
        if not self._root.is_dir():
            return
        for entry in os.scandir(self._root):
            if entry.name not in known and time.time() - entry.stat().st_mtime > _ORPHANED_AFTER_S:
                yield entry.name


def read_chunk(file: BinaryIO) -> bytes:
    """The next bytes of a file, empty at its end."""
    return file.read(_CHUNK_BYTES)


def _write(path: Path, data: bytes) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
