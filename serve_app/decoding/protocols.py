"""What the HTTP side asks of whatever decodes documents."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from enum import StrEnum
from typing import Protocol

from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage


class DecoderEnd(StrEnum):
    """How a decoder process came to its end in the middle of a job."""

    CRASHED = "crashed"
    HUNG = "hung"
    KILLED = "killed"


class PageRoom(Protocol):
    """Memory taken for one page; ``serve_app.decoding.memory.Room`` is it."""

    def shrink(self, size_bytes: int) -> None: ...
    def free(self) -> None: ...


class Document(Protocol):
    """Pages of an open document.

    ``read`` has ``room`` freed with the last view of the page; where it raises, the room is its caller's.
    """

    @property
    def page_count(self) -> int: ...
    def read(self, index: int, room: PageRoom) -> SourcePage: ...
    def close(self) -> None: ...


class Decoders(Protocol):
    """Opens documents. What blocks, opening and reading, is done in the threads of ``workers``."""

    @property
    def workers(self) -> Executor: ...
    def start(self) -> None: ...
    def open(self, files: Sequence[SourceFile], limits: PageLimits, options: DocumentOptions) -> Document: ...
    def close(self) -> None: ...
