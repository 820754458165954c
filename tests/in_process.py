"""Decoders without processes, for tests of what stands around them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import numpy as np

from serve_app.documents import OpenDocument, open_document
from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage
from serve_app.results import PageOrigin


class InProcessDecoders:
    """Decodes in threads of this process."""

    def __init__(self, number: int = 2) -> None:
        self.workers: Executor = ThreadPoolExecutor(number, thread_name_prefix="decode")

    def start(self) -> None:
        pass

    def open(self, files: Sequence[SourceFile], limits: PageLimits, options: DocumentOptions) -> OpenDocument:
        return open_document(files, limits, options)

    def close(self) -> None:
        self.workers.shutdown(wait=False, cancel_futures=True)


@dataclass
class Slow:
    """A document whose pages are decoded when they are let go; it records what happened."""

    page_count: int = 5
    go: Event = field(default_factory=Event)
    begun: list[int] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def read(self, index: int) -> SourcePage:
        self.begun.append(index)
        assert self.go.wait(10)
        self.log.append(f"read {index}")
        return SourcePage(np.zeros((8, 8, 3), np.uint8), PageOrigin(index + 1))

    def close(self) -> None:
        self.log.append("close")
