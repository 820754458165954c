"""Jobs as the store keeps them, independent of HTTP and of where that is.

Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from serve_app.schemas import OcrQuery, OutputFormat


class JobState(StrEnum):
    """How far a job is; a job that was cancelled or has expired is gone."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What was asked for.

    ``output`` is the format that the result is written in at once; ``request_id`` is that of the
    submission. ``owner`` is who may see the job, empty where everybody who knows its id may.
    """

    query: OcrQuery
    output: OutputFormat
    request_id: str
    owner: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job or a page has no result: the code of a problem, and what a client may read of it."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class PageFailure:
    """A page that could not be read: its number in its file, and the file's, both from 1."""

    page: int
    file: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Summary:
    """What a finished reading says beside its pages; see ``DocumentResult``."""

    engines: Mapping[str, str]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``pages_done`` counts pages that are stored; they are the first ones.

    ``summary`` is there when the job succeeded, ``failure`` when it failed.
    """

    id: str
    request: JobRequest
    state: JobState
    page_count: int
    created_s: float
    expires_s: float
    pages_done: int = 0
    started_s: float | None = None
    finished_s: float | None = None
    page_failures: tuple[PageFailure, ...] = ()
    failure: Failure | None = None
    summary: Summary | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in (JobState.SUCCEEDED, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """What a store holds, for metrics.

    ``jobs`` counts those that have not expired by their state; ``oldest_wait_s`` is how long the oldest
    queued one has waited, 0 without one. Space in bytes; ``max_bytes`` 0 where there is no bound.
    ``given_up`` counts the jobs that this process gave up as ``job_abandoned``.
    """

    jobs: Mapping[JobState, int]
    oldest_wait_s: float
    stored_bytes: int
    max_bytes: int
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job, until it is not renewed in time.

    ``token`` is new with every claim: a store takes nothing from a holder whose job was claimed anew.
    """

    job: Job
    token: str
