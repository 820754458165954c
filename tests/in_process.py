"""Decoders without processes, for tests of what stands around them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np

from serve_app.decoding.protocols import Document, PageRoom
from serve_app.documents import OpenDocument, open_document
from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage
from serve_app.results import PageOrigin


class InProcessDecoders:
    """Decodes in threads of this process."""

    def __init__(self, number: int = 2) -> None:
        self.workers: Executor = ThreadPoolExecutor(number, thread_name_prefix="decode")

    def start(self) -> None:
        pass

    def open(self, files: Sequence[SourceFile], limits: PageLimits, options: DocumentOptions) -> Document:
        return _InProcess(open_document(files, limits, options))

    def close(self) -> None:
        self.workers.shutdown(wait=False, cancel_futures=True)


class _InProcess:
    """An open document whose pages give their room back."""

    def __init__(self, document: OpenDocument) -> None:
        self._document = document
        self.page_count = document.page_count
        self.close = document.close

    def read(self, index: int, room: PageRoom) -> SourcePage:
        page = self._document.read(index)
        room.shrink(page.image.nbytes)
        # An array of its own, which views lead back to.
        image = page.image.copy()
        weakref.finalize(image, room.free).atexit = False
        return replace(page, image=image)


class Unbounded:
    """Room for a page where nobody counts; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def shrink(self, size_bytes: int) -> None:
        self.told.append(size_bytes)

    def free(self) -> None:
        self.shrink(0)


@dataclass
class Slow:
    """A document whose pages are decoded when they are let go; it records what happened."""

    page_count: int = 5
    go: Event = field(default_factory=Event)
    begun: list[int] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def read(self, index: int, room: PageRoom) -> SourcePage:
        self.begun.append(index)
        assert self.go.wait(120)
        self.log.append(f"read {index}")
        image = np.zeros((8, 8, 3), np.uint8)
        room.shrink(image.nbytes)
        weakref.finalize(image, room.free).atexit = False
        return SourcePage(image, PageOrigin(index + 1))

    def close(self) -> None:
        self.log.append("close")
