"""Documents decoded in a few processes, so that what native code does to one costs one request."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Protocol, TypeVar

from deployments.errors import DecoderFailed, StageUnavailable
from serve_app.decoding import wire
from serve_app.decoding.buffers import PageBuffer, PageBuffers
from serve_app.decoding.process import COMMAND, DecoderDied, DecoderHung, DecoderProcess, killed_from_outside
from serve_app.decoding.protocols import DecoderEnd, PageRoom
from serve_app.pages import DocumentOptions, PageBounds, PageLimits, PixelBudget, SourceFile, SourcePage
from serve_app.results import PageOrigin

logger = logging.getLogger(__name__)

T = TypeVar("T")

_KILLED_RETRY_S = 5.0


class DecoderLimits(Protocol):
    """How many documents are decoded at a time, and what each may take."""

    @property
    def max_concurrent_documents(self) -> int: ...
    @property
    def max_decode_s(self) -> float: ...
    @property
    def max_decode_memory_bytes(self) -> int: ...


class DecoderPool:
    """A bounded number of warm processes, each with a thread that waits for it.

    A process that dies or hangs is replaced at once. The request whose document it had in hand gets
    DecoderFailed; documents that it merely had open are opened in another when their turn comes.
    ``on_end`` is told, in the thread that waited, how a process ended in the middle of a job; the log as
    well, with whatever the context of that thread says of the request.
    """

    def __init__(
        self,
        limits: DecoderLimits,
        command: Sequence[str] = COMMAND,
        on_end: Callable[[DecoderEnd], None] = lambda end: None,
    ) -> None:
        self._limits = limits
        self._on_end = on_end
        self._command = command
        self._number = limits.max_concurrent_documents
        self.workers: Executor = ThreadPoolExecutor(self._number, thread_name_prefix="decode")
        self.buffers = PageBuffers(self._number)
        self._names = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: list[DecoderProcess] = []
        # Processes with a job, each with the documents to be freed when it is done.
        self._busy: dict[DecoderProcess, list[int]] = {}
        self._closed = False

    def start(self) -> None:
        """Start the processes, and return once they are warm. They start by themselves at need, too."""
        with self._lock:
            self._fill()
            started = list(self._idle)
        for process in started:
            process.wait_until_warm()

    def open(
        self, files: Sequence[SourceFile], limits: PageLimits, options: DocumentOptions
    ) -> RemoteDocument:
        """Open the files of a request; raises as ``serve_app.documents.open_document``.

        Raises:
            DecoderFailed: a file crashed the decoder, or kept it too long.
        """
        return RemoteDocument(self, next(self._names), files, limits, options)

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        with self._lock:
            return [process.pid for process in (*self._idle, *self._busy)]

    def run(self, document: int, job: Callable[[DecoderProcess], T]) -> T:
        """Do a job with a process, rather one that has ``document`` open.

        A process that dies may die of an earlier document, or be killed by somebody else: the job is
        done again, after a crash once and in a fresh process.

        Raises:
            DecoderFailed: processes died over the job, or one hung.
            StageUnavailable: processes were killed, again and again, and not by the job.
        """
        crashes = 0
        # Somebody may kill all of them at once.
        for _ in range(self._number + 1):
            try:
                return self._run(document, job, fresh=crashes > 0)
            except DecoderDied as died:
                killed = killed_from_outside(died)
                end = DecoderEnd.KILLED if killed else DecoderEnd.CRASHED
                failure = self._failed(died, end)
                self._on_end(end)
                crashes += not killed
            if crashes > 1:
                raise failure
        raise StageUnavailable("The decoders were killed", retry_after_s=_KILLED_RETRY_S)

    def forget(self, document: int) -> None:
        """Free a document wherever it is open, without waiting."""
        with self._lock:
            for process in self._idle:
                process.close_document(document)
            for unwanted in self._busy.values():
                unwanted.append(document)

    def close(self) -> None:
        """End the processes; jobs in hand fail."""
        with self._lock:
            self._closed = True
            for process in self._idle:
                process.kill()
            for process in self._busy:
                process.interrupt()
            self._idle.clear()
        self.workers.shutdown(wait=False, cancel_futures=True)
        self.buffers.close()

    def _run(self, document: int, job: Callable[[DecoderProcess], T], fresh: bool) -> T:
        with self._process(document, fresh) as process:
            try:
                return job(process)
            except DecoderHung as hung:
                logger.error(
                    "a decoder hung for %g s and was killed",
                    self._limits.max_decode_s,
                    extra=_fields(DecoderEnd.HUNG),
                )
                self._on_end(DecoderEnd.HUNG)
                raise DecoderFailed(
                    f"The document keeps its decoder busy for longer than {self._limits.max_decode_s:g} s."
                ) from hung

    @contextmanager
    def _process(self, document: int, fresh: bool) -> Iterator[DecoderProcess]:
        """A free process; there is one for every thread of ``workers``. The newest stands last."""
        with self._lock:
            if self._closed:
                raise StageUnavailable("The service is closing", retry_after_s=_KILLED_RETRY_S)
            self._fill()
            holding = [one for one in self._idle if one.holds(document) and not fresh]
            process = (holding or self._idle)[-1 if fresh else 0]
            self._idle.remove(process)
            self._busy[process] = []
        try:
            yield process
        finally:
            with self._lock:
                for unwanted in self._busy.pop(process):
                    process.close_document(unwanted)
                if self._closed:
                    process.kill()
                else:
                    self._idle.append(process)
                    self._fill()

    def _fill(self) -> None:
        """Put a new process in the place of each that is not there; the lock is held."""
        for process in [process for process in self._idle if not process.alive]:
            process.kill()
            self._idle.remove(process)
        while len(self._idle) + len(self._busy) < self._number:
            self._idle.append(
                DecoderProcess(self._limits.max_decode_memory_bytes, self._limits.max_decode_s, self._command)
            )

    @staticmethod
    def _failed(died: DecoderDied, end: DecoderEnd) -> DecoderFailed:
        number = died.signal_number
        name = signal.Signals(number).name if number else "no signal"
        logger.error("a decoder died (%s) over a document", name, extra=_fields(end))
        return DecoderFailed("The document crashed its decoder: it is damaged, or made to do so.")


def _fields(end: DecoderEnd) -> Mapping[str, object]:
    """What Serve's JSON is to say of it."""
    return {"ray_serve_extra_fields": {"decoder_end": str(end)}}


class RemoteDocument:
    """A document that decoder processes hold open; to be read by one thread at a time."""

    def __init__(
        self,
        pool: DecoderPool,
        name: int,
        files: Sequence[SourceFile],
        limits: PageLimits,
        options: DocumentOptions,
    ) -> None:
        self._pool = pool
        self._name = name
        self._files = files
        self._limits = limits
        self._options = options
        self._budget = PixelBudget(limits)
        self.page_count: int = pool.run(name, self._open)

    def read(self, index: int, room: PageRoom) -> SourcePage:
        """The page at ``index``, from 0; raises as ``OpenDocument.read``, and DecoderFailed."""
        started_s = time.perf_counter()
        buffer = self._pool.buffers.take()
        try:
            answer = self._pool.run(self._name, lambda process: self._decode(process, index, buffer))
            origin, regions = self._origin(answer), wire.regions_of(answer["regions"])
            image = self._pool.buffers.lend(buffer, answer["height_px"], answer["width_px"], room)
        except BaseException:
            # No decoder writes to it any more: it has answered, or it is dead.
            self._pool.buffers.give_back(buffer)
            raise
        self._budget.spend(image)
        jpeg = self._files[origin.file - 1].data if answer["is_file"] else None
        decode_ms = (time.perf_counter() - started_s) * 1000
        return SourcePage(image, origin, regions, jpeg, bool(answer["is_grey"]), decode_ms)

    def close(self) -> None:
        """Free the files."""
        self._pool.forget(self._name)

    def _open(self, process: DecoderProcess) -> int:
        message = {
            "do": "open",
            "document": self._name,
            "bounds": asdict(PageBounds.of(self._limits)),
            "options": wire.options_message(self._options),
            "files": [[len(file.data), file.name] for file in self._files],
        }
        answer = process.call(message, [file.data for file in self._files])
        wire.raise_error(answer)
        process.opened(self._name)
        return int(answer["page_count"])

    def _decode(self, process: DecoderProcess, index: int, buffer: PageBuffer) -> wire.Message:
        if not process.holds(self._name):
            self._open(process)
        process.opened(self._name)
        message = {"do": "read", "document": self._name, "index": index}
        answer = process.call(message, buffer=buffer.descriptor)
        wire.raise_error(answer)
        return answer

    def _origin(self, answer: wire.Message) -> PageOrigin:
        name = self._files[answer["file"] - 1].name
        return PageOrigin(answer["number"], answer["file"], name, answer["dpi"])
