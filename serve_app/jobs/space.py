"""How many jobs may be stored, how much space they may take, and what they do; bounds need a transaction."""

from __future__ import annotations

import sqlite3

from serve_app.jobs.config import JobsConfig
from serve_app.jobs.errors import JobStorageFull, TooManyJobs
from serve_app.jobs.records import JobState, StoreUsage

_RETRY_MAX_S = 3600.0


def take_number(sql: sqlite3.Connection, config: JobsConfig, now_s: float) -> None:
    """Raise TooManyJobs unless there may be one more."""
    (number,) = sql.execute("SELECT count(*) FROM jobs WHERE state <> 'expired'").fetchone()
    if number >= config.max_jobs:
        detail = f"{number} jobs are stored, which is the limit; remove finished ones."
        raise TooManyJobs(detail, _space_after_s(sql, now_s))


def take_space(sql: sqlite3.Connection, size_bytes: int, config: JobsConfig, now_s: float) -> None:
    """Raise JobStorageFull unless jobs may take so many bytes more."""
    (taken,) = sql.execute("SELECT coalesce(sum(stored_bytes), 0) FROM jobs").fetchone()
    if taken + size_bytes > config.max_stored_bytes:
        detail = f"Jobs may take {config.max_stored_bytes} bytes together; remove finished ones."
        raise JobStorageFull(detail, _space_after_s(sql, now_s))


def usage(sql: sqlite3.Connection, config: JobsConfig, now_s: float) -> StoreUsage:
    """What is stored now."""
    counts = dict.fromkeys(JobState, 0)
    oldest_s, stored_bytes = now_s, 0
    for state, number, size_bytes, created_s in sql.execute(
        "SELECT state, count(*), sum(stored_bytes), min(created_s) FROM jobs"
        " WHERE state <> 'expired' GROUP BY state"
    ):
        counts[JobState(state)] = number
        stored_bytes += size_bytes
        if state == JobState.QUEUED:
            oldest_s = created_s
    return StoreUsage(counts, max(now_s - oldest_s, 0.0), stored_bytes, config.max_stored_bytes)


def _space_after_s(sql: sqlite3.Connection, now_s: float) -> float:
    """Seconds until the next job expires."""
    (soonest_s,) = sql.execute("SELECT min(expires_s) FROM jobs WHERE state <> 'expired'").fetchone()
    return min(max((soonest_s or 0.0) - now_s, 1.0), _RETRY_MAX_S)
