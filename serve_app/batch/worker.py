"""Reads documents in one process with all engines in it; knows no Ray.

Several calls may be under way at once, from threads; their documents share model steps.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from deployments.errors import DeadlineExceeded, OcrError
from serve_app.batch.plan import Settings, result_path
from serve_app.batch.records import Record
from serve_app.batch.storage import Storage
from serve_app.in_process import InProcessReader
from serve_app.pages import SourceFile
from serve_app.reading import DocumentReader
from serve_app.render.formats import ONE_PAGE, WITH_IMAGES, Reading
from serve_app.results import DocumentResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Where documents are and results go, how many a worker reads at a time, and for how long each."""

    source: str
    target: str
    settings: Settings
    at_a_time: int
    document_timeout_s: float


class Worker:
    """A callable class as Ray Data wants it: a column of paths in, a column of records out."""

    def __init__(self, options: WorkerOptions) -> None:
        """Loads and warms the engines."""
        self._options = options
        settings = options.settings
        self._source, self._target = Storage(options.source), Storage(options.target)
        self._engines = InProcessReader(settings.config, settings.tuning)
        self._reader = DocumentReader(self._engines, settings.config.limits)
        self._turn = asyncio.Semaphore(options.at_a_time)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="documents", daemon=True).start()

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Read the documents at ``batch["path"]``; answers ``record``, a JSON line each."""
        paths = [str(path) for path in batch["path"]]
        reading = asyncio.run_coroutine_threadsafe(self._read_all(paths), self._loop)
        records = reading.result()
        self._check_health()
        return {"record": [record.model_dump_json() for record in records]}

    def _check_health(self) -> None:
        """End this process where an engine is broken: Ray starts another, and reads the documents there."""
        try:
            self._engines.check_health()
        except RuntimeError:
            logger.exception("an engine is broken: this worker ends")
            os._exit(1)

    async def _read_all(self, paths: Sequence[str]) -> list[Record]:
        return list(await asyncio.gather(*(self._read(path) for path in paths)))

    async def _read(self, path: str) -> Record:
        async with self._turn:
            begun_s = time.perf_counter()
            try:
                async with asyncio.timeout(self._options.document_timeout_s):
                    record = await self._read_and_write(path)
            except TimeoutError:
                limit_s = self._options.document_timeout_s
                record = _failed(path, DeadlineExceeded.code, f"it was not read within {limit_s:g} s")
            except OcrError as error:
                record = _failed(path, error.code, error.public)
            except OSError as error:
                record = _failed(path, "storage", str(error))
            except Exception as error:
                logger.exception("%s failed", path)
                record = _failed(path, "internal", f"{type(error).__name__}: {error}")
            return record.model_copy(update={"seconds": round(time.perf_counter() - begun_s, 3)})

    async def _read_and_write(self, path: str) -> Record:
        data = await asyncio.to_thread(self._source.read, path)
        settings = self._options.settings
        file = SourceFile(data, PurePosixPath(path).name)
        # The format that asks most of a document: just one page, or pictures of all.
        richest = max(settings.formats, key=lambda output: (output in ONE_PAGE, output in WITH_IMAGES))
        document, images = await self._reader.read(lambda: [file], settings.query, richest)
        _require_text(document)
        written = []
        for output in settings.formats:
            reading = Reading(document, path, document.timings_ms, settings.query.words, images)
            content = await self._reader.write(reading, output)
            await asyncio.to_thread(self._target.write, result_path(path, output), content)
            written.append(result_path(path, output))
        return _read_record(path, written, document)


def _require_text(document: DocumentResult) -> None:
    """Raise the error of the first line where no line of a document could be read."""
    regions = [region for page in document.pages for region in page.regions]
    errors = [region.error for region in regions if region.text is None and region.error is not None]
    if errors and len(errors) == len(regions):
        raise errors[0]


def _read_record(path: str, written: Sequence[str], document: DocumentResult) -> Record:
    failed = sum(page.error is not None for page in document.pages)
    return Record(
        document=path, status="read", results=tuple(written), pages=len(document.pages), failed_pages=failed
    )


def _failed(path: str, code: str, detail: str) -> Record:
    return Record(document=path, status="failed", code=code, detail=detail)
