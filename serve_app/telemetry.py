"""What the ingress records: documents, their pages, and calls that a stage did not take.

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
from deployments.metrics import counter, histogram
from serve_app.results import PageResult

logger = logging.getLogger(__name__)


class DocumentMetrics:
    """Records what became of each document at one ingress replica, in metrics and in one log record."""

    def __init__(self) -> None:
        self._document = histogram(instruments.DOCUMENT_SECONDS)
        self._stage = histogram(instruments.PAGE_STAGE_SECONDS)
        self._pages = counter(instruments.PAGES)
        self._regions = counter(instruments.REGIONS)
        self._failures = counter(instruments.FAILURES)
        self._problems = counter(instruments.PROBLEMS)
        self._stage_refusals = counter(instruments.STAGE_REFUSALS)

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
        spent_s = time.perf_counter() - started_s
        self._document.observe(spent_s)
        fields = {"pages": record.pages, "regions": record.regions, "spent_ms": round(spent_s * 1000, 1)}
        logger.info("document read", extra={"ray_serve_extra_fields": fields})

    def problem(self, code: str) -> None:
        """Count a request that was answered with a problem."""
        self._problems.inc(tags={"code": code})

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
