"""Decoders without processes, for tests of what stands around them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from serve_app.documents import OpenDocument, open_document
from serve_app.pages import DocumentOptions, PageLimits, SourceFile


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
