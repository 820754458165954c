"""What the ingress records: documents from their turn to their pages, refusals, decoders and jobs.

``deployments.instruments`` has the names. Latencies by route and status, queues and replicas are
Serve's own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deployments import instruments
from deployments.errors import OcrError
from deployments.metrics import counter, gauge, histogram
from serve_app import problems
from serve_app.decoding.protocols import DecoderEnd
from serve_app.jobs.records import StoreUsage
from serve_app.observer import ToldIn
from serve_app.results import PageResult

logger = logging.getLogger(__name__)


class DocumentMetrics:
    """Records what became of each document at one ingress replica, in metrics and in one log record.

    An ``Observer`` (``serve_app.observer``).
    """

    def __init__(self) -> None:
        self._document = histogram(instruments.DOCUMENT_SECONDS)
        self._stage = histogram(instruments.PAGE_STAGE_SECONDS)
        self._pages = counter(instruments.PAGES)
        self._regions = counter(instruments.REGIONS)
        self._failures = counter(instruments.FAILURES)
        self._problems = counter(instruments.PROBLEMS)
        self._stage_refusals = counter(instruments.STAGE_REFUSALS)
        self._documents = gauge(instruments.DOCUMENTS)
        self._turn_wait = histogram(instruments.TURN_WAIT_SECONDS)
        self._document_refusals = counter(instruments.DOCUMENT_REFUSALS)
        self._decoders_ended = counter(instruments.DECODERS_ENDED)
        self._jobs = gauge(instruments.JOBS)
        self._jobs_oldest_wait = gauge(instruments.JOBS_OLDEST_WAIT_SECONDS)
        self._jobs_bytes = gauge(instruments.JOBS_BYTES)
        self._job_failures = counter(instruments.JOB_FAILURES)

    @contextmanager
    def document(self) -> Iterator[DocumentRecord]:
        """Time a document that is read to its end; count an error that fails it, and let it pass."""
        started_s = time.perf_counter()
        record = DocumentRecord(self)
        try:
            yield record
        except OcrError as error:
            self._failures.inc(tags={"scope": "document", "code": error.code})
            raise
        except Exception:
            self._failures.inc(tags={"scope": "document", "code": problems.INTERNAL.code})
            raise
        spent_s = time.perf_counter() - started_s
        self._document.observe(spent_s)
        fields = {"pages": record.pages, "regions": record.regions, "spent_ms": round(spent_s * 1000, 1)}
        logger.info("document read", extra={"ray_serve_extra_fields": fields})

    def problem(self, code: str, told_in: ToldIn) -> None:
        """Count a request that ended with a problem."""
        self._problems.inc(tags={"code": code, "told_in": told_in})

    def turns(self, in_work: int, waiting: int) -> None:
        """Say how many documents are read, and how many wait."""
        self._documents.set(in_work, tags={"state": "in_work"})
        self._documents.set(waiting, tags={"state": "waiting"})

    def turn_taken(self, waited_s: float) -> None:
        """Record how long a document waited."""
        self._turn_wait.observe(waited_s)

    def document_refused(self) -> None:
        """Count a document that was refused at once."""
        self._document_refusals.inc()

    def decoder_ended(self, end: DecoderEnd) -> None:
        """Count a decoder that ended in the middle of a job."""
        self._decoders_ended.inc(tags={"end": end})

    def jobs_stored(self, usage: StoreUsage) -> None:
        """Say what the store of jobs holds."""
        for state, number in usage.jobs.items():
            self._jobs.set(number, tags={"state": state})
        self._jobs_oldest_wait.set(usage.oldest_wait_s)
        self._jobs_bytes.set(usage.stored_bytes, tags={"state": "stored"})
        self._jobs_bytes.set(usage.max_bytes, tags={"state": "limit"})

    def job_failed(self, code: str) -> None:
        """Count a job that failed."""
        self._job_failures.inc(tags={"code": code})

    def stage_refused(self, stage: str, reason: str) -> None:
        """Count a call that a stage did not take."""
        self._stage_refusals.inc(tags={"stage": stage, "reason": reason})

    def page(self, page: PageResult) -> None:
        """Count a page that was read, wholly or in part."""
        self._pages.inc(tags={"result": page.error.code if page.error else "ok"})
        for stage, spent_ms in page.timings_ms.items():
            self._stage.observe(spent_ms / 1000, tags={"stage": stage})
        if page.error:
            self._failures.inc(tags={"scope": "page", "code": page.error.code})
        for region in page.regions:
            self._regions.inc(tags={"kind": region.kind or "unknown"})
            if region.error:
                self._failures.inc(tags={"scope": "region", "code": region.error.code})


class DocumentRecord:
    """Counts the pages of one document as they are read."""

    def __init__(self, metrics: DocumentMetrics) -> None:
        self._metrics = metrics
        self.pages = self.regions = 0

    def page(self, page: PageResult) -> None:
        """Count a page that was read, wholly or in part."""
        self.pages += 1
        self.regions += len(page.regions)
        self._metrics.page(page)
