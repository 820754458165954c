"""Folders and buckets: what is in them, and results that are there whole or not at all."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import pyarrow as pa
from pyarrow import fs

# Written beside a result and moved to its name; what a crash leaves of them is never taken for one.
_PART = ".part-"
_IS_PART = re.compile(re.escape(_PART) + r"[0-9a-f]{32}$")
# Object stores have keys, not folders; creating one would leave an empty object.
_WITHOUT_FOLDERS = frozenset({"s3", "gcs", "abfs"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its path below the place, its bytes, and when it was last written, if that is known."""

    path: str
    size_bytes: int
    modified: datetime | None


class Storage:
    """One folder or bucket, local or not: a path, or a URI such as ``s3://bucket/prefix``.

    Schemes are those of pyarrow: file, s3, gs, abfs, hdfs, and ``fsspec+`` before one of fsspec's
    whose library is installed. Credentials are the scheme's usual ones. ``exists`` tells whether
    there was a folder or a file at first.
    """

    def __init__(self, place: str) -> None:
        """Raises ValueError for a scheme that is unknown or cannot be used."""
        self.place = place
        try:
            if "://" in place:
                self._files, self._base = fs.FileSystem.from_uri(place)
            else:
                self._files, self._base = fs.LocalFileSystem(), str(Path(place).absolute())
            info = self._files.get_file_info(self._base)
        except (ValueError, pa.ArrowNotImplementedError, OSError, ImportError) as error:
            raise ValueError(f"{place}: {error}") from None
        self.exists = info.type is not fs.FileType.NotFound
        self._only: Entry | None = None
        if info.type is fs.FileType.File:
            self._only = Entry(info.base_name, info.size, info.mtime)
            self._base = str(PurePosixPath(self._base).parent)

    @property
    def base(self) -> str:
        """The folder or bucket in full, of a single file the one that it is in."""
        return str(self._base)

    def holds(self, other: Storage) -> bool:
        """Whether this is a folder, and another place is the same or below it."""
        below = PurePosixPath(other._base).is_relative_to(self._base)
        return self._only is None and below and bool(self._files.equals(other._files))

    def entries(self) -> Iterator[Entry]:
        """All files below, in the order of their paths; the place itself if it is a file."""
        if self._only is not None:
            yield self._only
            return
        found = self._files.get_file_info(fs.FileSelector(self._base, recursive=True, allow_not_found=True))
        files = [each for each in found if each.type is fs.FileType.File and _has_a_name(each)]
        base = PurePosixPath(self._base)
        for each in sorted(files, key=lambda each: each.path):
            if not _IS_PART.search(each.base_name):
                path = str(PurePosixPath(each.path).relative_to(base))
                yield Entry(path, each.size, each.mtime)

    def nameless(self) -> list[str]:
        """Files of a local folder whose paths are no UTF-8, which are no entries: as ``\\xf1`` for a byte."""
        if self._files.type_name != "local" or self._only is not None:
            return []
        base = os.fsencode(self._base)
        found = [os.path.join(folder, name) for folder, _, names in os.walk(base) for name in names]
        paths = [os.path.relpath(path, base) for path in found]
        return sorted(path.decode("utf-8", "backslashreplace") for path in paths if not _is_utf8(path))

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises OSError."""
        with self._files.open_input_stream(self._path(path)) as stream:
            return bytes(stream.read())

    def write(self, path: str, content: bytes) -> None:
        """Write a file so that its name has all of it or what it had before. Raises OSError."""
        target = self._path(path)
        part = f"{target}{_PART}{uuid.uuid4().hex}"
        if self._files.type_name not in _WITHOUT_FOLDERS:
            self._files.create_dir(str(PurePosixPath(target).parent), recursive=True)
        try:
            with self._files.open_output_stream(part) as stream:
                stream.write(content)
            self._files.move(part, target)
        except BaseException:
            if self._info(part).type is fs.FileType.File:
                self._files.delete_file(part)
            raise

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return self._info(self._path(path)).type is fs.FileType.File

    def _path(self, path: str) -> str:
        return str(PurePosixPath(self._base) / path)

    def _info(self, path: str) -> fs.FileInfo:
        return self._files.get_file_info(path)


def _has_a_name(found: fs.FileInfo) -> bool:
    """Whether pyarrow can say where a file is; it decodes a path only when it is asked for it."""
    try:
        return bool(found.path)
    except UnicodeDecodeError:
        return False


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
