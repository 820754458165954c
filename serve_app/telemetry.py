"""Metrics of the ingress: their names, labels and buckets, and how a document is recorded.

Those of the stages stand in ``deployments.metrics``; latencies by route and status, queues and
replicas are Serve's own. Serve adds the labels ``application``, ``deployment`` and ``replica``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ray.serve.metrics import Counter, Histogram

from deployments.errors import OcrError
from deployments.metrics import SECONDS_BUCKETS
from serve_app.results import PageResult

DOCUMENT_SECONDS = "scriptorium_document_seconds"
PAGE_STAGE_SECONDS = "scriptorium_page_stage_seconds"
PAGES = "scriptorium_pages"
REGIONS = "scriptorium_regions"
FAILURES = "scriptorium_failures"


class DocumentMetrics:
    """Records what became of each document at one ingress replica."""

    def __init__(self) -> None:
        self._document = Histogram(
            DOCUMENT_SECONDS, "Opened document to the result of its last page", SECONDS_BUCKETS
        )
        self._stage = Histogram(
            PAGE_STAGE_SECONDS, "Time of a page in a stage", SECONDS_BUCKETS, ("stage",)
        )
        self._pages = Counter(PAGES, "Pages read")
        self._regions = Counter(REGIONS, "Regions found, by kind", ("kind",))
        self._failures = Counter(
            FAILURES,
            "Failures by error code; scope is region, page or document",
            ("scope", "code"),  # type: ignore[arg-type]  # Ray's annotation means any length
        )

    @contextmanager
    def document(self) -> Iterator[None]:
        """Time a document that is read to its end; count an error that fails it, and let it pass."""
        started_s = time.perf_counter()
        try:
            yield
        except OcrError as error:
            self._failures.inc(tags={"scope": "document", "code": error.code})
            raise
        self._document.observe(time.perf_counter() - started_s)

    def record(self, page: PageResult) -> None:
        """Count a page that was read, wholly or in part."""
        self._pages.inc()
        for stage, spent_ms in page.timings_ms.items():
            self._stage.observe(spent_ms / 1000, tags={"stage": stage})
        if page.error:
            self._failures.inc(tags={"scope": "page", "code": page.error.code})
        for region in page.regions:
            self._regions.inc(tags={"kind": region.kind or "unknown"})
            if region.error:
                self._failures.inc(tags={"scope": "region", "code": region.error.code})
