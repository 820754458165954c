"""Every metric of the service: its name, kind, labels and buckets. Dashboards and alerts are made of these.

Serve adds the labels ``application``, ``deployment`` and ``replica``; what it measures itself
(requests by route and status, queues, replicas) is not repeated. No label has unbounded values,
and none says anything of a document's content.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# With the bounds that alerts and the dashboard compare quantiles with: between buckets they are made up.
SECONDS_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)
# Ray reports the sum of a histogram as if every value stood in the middle of its bucket. These middles are
# 1, 2, 4, 8 ... items, so that steps of one and of two have their true mean.
ITEMS_BUCKETS = (0.5, 1.5, 2.5, 5.5, 10.5, 21.5, 42.5, 85.5, 170.5)
PIXELS_BUCKETS = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7)
RATIO_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)


class MetricKind(StrEnum):
    """What a metric does with its values."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric as the code records it."""

    name: str
    kind: MetricKind
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> str:
        """Name in Prometheus: Ray prefixes every metric and marks counters. Histograms add ``_bucket``."""
        return f"ray_{self.name}" + ("_total" if self.kind is MetricKind.COUNTER else "")


def _counter(name: str, description: str, *labels: str) -> Instrument:
    return Instrument(f"scriptorium_{name}", MetricKind.COUNTER, description, labels)


def _gauge(name: str, description: str, *labels: str) -> Instrument:
    return Instrument(f"scriptorium_{name}", MetricKind.GAUGE, description, labels)


def _histogram(name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Instrument:
    return Instrument(f"scriptorium_{name}", MetricKind.HISTOGRAM, description, labels, buckets)


# Recorded in the replicas of a stage.
STEP_SECONDS = _histogram("stage_step_seconds", "Time of one model step, seconds", SECONDS_BUCKETS)
# What is divided by time: counters add up exactly, the sum of a histogram is made up from its buckets.
BUSY_SECONDS = _counter("stage_busy_seconds", "Time that model steps took, seconds")
PIXELS = _counter("stage_pixels", "Pixels of the items of model steps, without padding")
STEP_ITEMS = _histogram("stage_step_items", "Items in one model step", ITEMS_BUCKETS)
STEP_PIXELS = _histogram(
    "stage_step_pixels", "Cost of one model step: pixels of its items, without padding", PIXELS_BUCKETS
)
STEP_PADDING = _histogram(
    "stage_step_padding_ratio", "Share of a step's input that is padding", RATIO_BUCKETS
)
WAIT_SECONDS = _histogram(
    "stage_queue_wait_seconds", "Longest wait of a step's items for the model, seconds", SECONDS_BUCKETS
)
ITEMS = _counter("stage_items", "Items answered, by result: ok or the code of the error", "result")
GPU_MEMORY_BYTES = _gauge(
    "stage_gpu_memory_bytes",
    "GPU memory of a replica's process: allocated by tensors, peak of that since the last reading, "
    "reserved from the card with torch's cache, limit it may take",
    "state",
)

# Recorded in the replicas of the ingress.
DOCUMENT_SECONDS = _histogram(
    "document_seconds", "Opened document to the result of its last page, seconds", SECONDS_BUCKETS
)
PAGE_STAGE_SECONDS = _histogram(
    "page_stage_seconds", "Time of a page in a stage, waiting included, seconds", SECONDS_BUCKETS, "stage"
)
PAGES = _counter("pages", "Pages answered, by result: ok or the code of the error", "result")
REGIONS = _counter("regions", "Regions found, by kind", "kind")
FAILURES = _counter("failures", "Failures by error code; scope is region, page or document", "scope", "code")
PROBLEMS = _counter(
    "problems",
    "Requests that ended with a problem, by its code; told in the answer's place, or at the end of a stream",
    "code",
    "told_in",
)
STAGE_REFUSALS = _counter(
    "stage_refusals",
    "Calls that a stage did not take: queue_full, unavailable, or replica_died (sent again once)",
    "stage",
    "reason",
)

DOCUMENTS = _gauge("documents", "Documents at an ingress replica: in_work or waiting for their turn", "state")
TURN_WAIT_SECONDS = _histogram(
    "document_wait_seconds", "Wait of a document for its turn, seconds", SECONDS_BUCKETS
)
DOCUMENT_REFUSALS = _counter(
    "document_refusals", "Documents refused at once: they would have waited for too much of their deadline"
)
DECODERS_ENDED = _counter(
    "decoders_ended", "Decoder processes that ended in the middle of a job: crashed, hung or killed", "end"
)

# Recorded in the replicas of the ingress where jobs are on; gauges tell of the whole store.
JOBS = _gauge("jobs", "Jobs stored, by state", "state")
JOBS_OLDEST_WAIT_SECONDS = _gauge("jobs_oldest_wait_seconds", "Wait of the oldest queued job, seconds")
JOBS_BYTES = _gauge("jobs_bytes", "Space of all jobs: stored, and the limit of it", "state")
JOB_FAILURES = _counter("job_failures", "Jobs that failed here, by the code of their problem", "code")

STAGE_INSTRUMENTS = (
    STEP_SECONDS,
    BUSY_SECONDS,
    PIXELS,
    STEP_ITEMS,
    STEP_PIXELS,
    STEP_PADDING,
    WAIT_SECONDS,
    ITEMS,
    GPU_MEMORY_BYTES,
)
INGRESS_INSTRUMENTS = (
    DOCUMENT_SECONDS,
    PAGE_STAGE_SECONDS,
    PAGES,
    REGIONS,
    FAILURES,
    PROBLEMS,
    STAGE_REFUSALS,
    DOCUMENTS,
    TURN_WAIT_SECONDS,
    DOCUMENT_REFUSALS,
    DECODERS_ENDED,
    JOBS,
    JOBS_OLDEST_WAIT_SECONDS,
    JOBS_BYTES,
    JOB_FAILURES,
)
INSTRUMENTS = (*STAGE_INSTRUMENTS, *INGRESS_INSTRUMENTS)
