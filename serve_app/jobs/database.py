"""The table of jobs in SQLite: every function is one transaction, safe among processes.

For one worker thread. Raises sqlite3.Error, and the errors of ``JobStore`` that it can tell by itself.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serve_app.jobs import rows
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.connection import connect, identity, transaction
from serve_app.jobs.errors import (
    IdempotencyKeyReused,
    JobAbandoned,
    JobExpired,
    JobNotFound,
    JobsUnavailable,
    LeaseLost,
)
from serve_app.jobs.records import Failure, Job, JobRequest, Lease, PageFailure, StoreUsage, Summary
from serve_app.jobs.space import take_number, take_space, usage

logger = logging.getLogger(__name__)

_UNFINISHED = "state IN ('queued', 'running')"
_EXPIRED = "(state = 'expired' OR expires_s <= :now_s AND lease_until_s <= :now_s)"


@dataclass(frozen=True, slots=True)
class Submission:
    """A new job before it is stored; ``fingerprint`` is the same for the same files and query."""

    request: JobRequest
    file_names: Sequence[str | None]
    size_bytes: int
    page_count: int
    fingerprint: str


class JobDatabase:
    """Jobs, their pages and their leases. ``clock`` gives seconds since the epoch."""

    def __init__(self, path: Path, config: JobsConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._path = path
        self._sql = connect(path)
        self._file = identity(path)
        self._unknown: set[str] = set()

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def is_in_place(self) -> bool:
        """Whether the file is still in its place; whatever is there instead, the next start would open."""
        return identity(self._path) == self._file

    def check_room(self, size_bytes: int) -> None:
        """Raise TooManyJobs, JobStorageFull where there may be no job of ``size_bytes`` more."""
        now_s = self._clock()
        take_number(self._sql, self._config, now_s)
        take_space(self._sql, size_bytes, self._config, now_s)

    def admit(self, submission: Submission) -> Job | None:
        """The earlier job of the same idempotency key; None where the submission may be stored.

        Raises IdempotencyKeyReused, TooManyJobs, JobStorageFull.
        """
        with transaction(self._sql):
            return self._admit(submission)

    def insert(self, job_id: str, submission: Submission) -> Job:
        """Store a job, or answer as ``admit`` does: others may have stored theirs meanwhile."""
        now_s = self._clock()
        with transaction(self._sql):
            earlier = self._admit(submission)
            if earlier is not None:
                return earlier
            self._sql.execute(
                "INSERT INTO jobs (id, owner, idempotency_key, fingerprint, state, request, file_names,"
                " page_count, stored_bytes, created_s, expires_s)"
                " VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    submission.request.owner,
                    submission.request.idempotency_key,
                    submission.fingerprint,
                    rows.dump_request(submission.request),
                    rows.dump_names(submission.file_names),
                    submission.page_count,
                    submission.size_bytes,
                    now_s,
                    now_s + self._config.keep_s,
                ),
            )
            return self._job(job_id)

    def find(self, job_id: str) -> Job:
        """A job. Raises JobNotFound, JobExpired."""
        return self._job(job_id)

    def file_names(self, job_id: str) -> list[str | None]:
        """What the sender calls the files of a job, in order."""
        self._job(job_id)
        (names,) = self._one("SELECT file_names FROM jobs WHERE id = :id", id=job_id)
        return rows.load_names(names)

    def pages(self, job_id: str) -> list[bytes]:
        """The pages read so far, as they were given, in order."""
        self._job(job_id)
        found = self._sql.execute("SELECT result FROM pages WHERE job_id = ? ORDER BY number", (job_id,))
        return [row["result"] for row in found]

    def remove(self, job_id: str) -> None:
        """Remove a job."""
        with transaction(self._sql):
            self._sql.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def claim(self) -> tuple[Lease | None, list[str]]:
        """A lease, and the jobs that were given up instead of being leased once more."""
        now_s, given_up = self._clock(), []
        # Most looks find nothing: no lock is taken for those.
        while (found := self._claimable(now_s)) is not None:
            with transaction(self._sql):
                found = self._claimable(now_s)
                if found is None:
                    break
                if found["attempts"] >= self._config.max_attempts:
                    self._end_failed(found["id"], Failure(JobAbandoned.code, JobAbandoned.title))
                    given_up.append(found["id"])
                    continue
                try:
                    self._job(found["id"])
                except JobsUnavailable as error:
                    # The version that took it may come back; until then the others go on.
                    logger.warning("job %s is passed over: %s", found["id"], error.public)
                    self._unknown.add(found["id"])
                    continue
                token = secrets.token_hex(8)
                self._sql.execute(
                    "UPDATE jobs SET state = 'running', lease_token = :token, lease_until_s = :until_s,"
                    " attempts = attempts + 1, started_s = coalesce(started_s, :now_s) WHERE id = :id",
                    {
                        "id": found["id"],
                        "token": token,
                        "now_s": now_s,
                        "until_s": now_s + self._config.lease_s,
                    },
                )
                return Lease(self._job(found["id"]), token), given_up
        return None, given_up

    def renew(self, lease: Lease) -> None:
        """Hold a job longer."""
        with self._leased(lease):
            until_s = self._clock() + self._config.lease_s
            self._set(lease, "lease_until_s = :until_s", until_s=until_s)

    def add_page(self, lease: Lease, index: int, page: bytes, failed: PageFailure | None) -> None:
        """Keep a page, if it is the next."""
        with self._leased(lease) as job:
            if index != job["pages_done"]:
                raise LeaseLost(f"page {index} of job {lease.job.id}, which has {job['pages_done']}")
            take_space(self._sql, len(page), self._config, self._clock())
            self._sql.execute(
                "INSERT INTO pages (job_id, number, result, failure) VALUES (?, ?, ?, ?)",
                (lease.job.id, index, page, rows.dump_page_failure(failed)),
            )
            self._set(
                lease,
                "pages_done = pages_done + 1, attempts = 0, stored_bytes = stored_bytes + :size_bytes",
                size_bytes=len(page),
            )

    def finish(self, lease: Lease, summary: Summary, size_bytes: int) -> None:
        """The job succeeded; its result has ``size_bytes``."""
        with self._leased(lease):
            take_space(self._sql, size_bytes, self._config, self._clock())
            now_s = self._clock()
            self._set(
                lease,
                "state = 'succeeded', summary = :summary, stored_bytes = stored_bytes + :size_bytes,"
                " finished_s = :now_s, expires_s = :expires_s, lease_token = NULL, lease_until_s = 0",
                summary=rows.dump_summary(summary),
                size_bytes=size_bytes,
                now_s=now_s,
                expires_s=now_s + self._config.keep_s,
            )

    def fail(self, lease: Lease, failure: Failure) -> None:
        """The job failed."""
        with self._leased(lease):
            self._end_failed(lease.job.id, failure)

    def release(self, lease: Lease) -> None:
        """Nobody holds the job."""
        with self._leased(lease):
            self._set(lease, "lease_token = NULL, lease_until_s = 0, attempts = max(attempts - 1, 0)")

    def sweep(self) -> list[str]:
        """Empty what has expired, and forget what expired long ago; answers the former."""
        now_s = self._clock()
        with transaction(self._sql):
            self._sql.execute(
                "DELETE FROM jobs WHERE state = 'expired' AND expires_s <= ?", (now_s - self._config.keep_s,)
            )
            found = self._sql.execute(
                "UPDATE jobs SET state = 'expired', stored_bytes = 0, request = '', file_names = '',"
                " idempotency_key = NULL, lease_token = NULL"
                f" WHERE state <> 'expired' AND {_EXPIRED} RETURNING id",
                {"now_s": now_s},
            )
            emptied = [row["id"] for row in found.fetchall()]
            self._sql.executemany("DELETE FROM pages WHERE job_id = ?", [(each,) for each in emptied])
            return emptied

    def usage(self) -> StoreUsage:
        """What is stored now."""
        return usage(self._sql, self._config, self._clock())

    def ids(self) -> set[str]:
        """All jobs."""
        return {row["id"] for row in self._sql.execute("SELECT id FROM jobs")}

    @contextmanager
    def _leased(self, lease: Lease) -> Iterator[sqlite3.Row]:
        """A transaction on a job that is still leased by ``lease``; gives its row."""
        with transaction(self._sql):
            found = self._sql.execute(
                "SELECT * FROM jobs WHERE id = ? AND lease_token = ?", (lease.job.id, lease.token)
            ).fetchone()
            if found is None:
                raise LeaseLost(f"job {lease.job.id}")
            yield found

    def _set(self, lease: Lease, assignments: str, **values: object) -> None:
        self._sql.execute(f"UPDATE jobs SET {assignments} WHERE id = :id", {"id": lease.job.id, **values})

    def _end_failed(self, job_id: str, failure: Failure) -> None:
        now_s = self._clock()
        self._sql.execute("DELETE FROM pages WHERE job_id = ?", (job_id,))
        self._sql.execute(
            "UPDATE jobs SET state = 'failed', failure = :failure, stored_bytes = 0, finished_s = :now_s,"
            " expires_s = :expires_s, lease_token = NULL, lease_until_s = 0 WHERE id = :id",
            {
                "id": job_id,
                "failure": rows.dump_failure(failure),
                "now_s": now_s,
                "expires_s": now_s + self._config.keep_s,
            },
        )

    def _claimable(self, now_s: float) -> sqlite3.Row | None:
        waiting = self._sql.execute(
            f"SELECT id, attempts FROM jobs WHERE {_UNFINISHED} AND lease_until_s <= :now_s"
            " AND expires_s > :now_s ORDER BY rowid",
            {"now_s": now_s},
        )
        return next((row for row in waiting if row["id"] not in self._unknown), None)

    def _admit(self, submission: Submission) -> Job | None:
        request, now_s = submission.request, self._clock()
        if request.idempotency_key is not None:
            earlier = self._sql.execute(
                "SELECT id, fingerprint FROM jobs"
                f" WHERE owner = :owner AND idempotency_key = :key AND NOT {_EXPIRED}",
                {"owner": request.owner, "key": request.idempotency_key, "now_s": now_s},
            ).fetchone()
            if earlier is not None:
                if earlier["fingerprint"] != submission.fingerprint:
                    raise IdempotencyKeyReused
                return self._job(earlier["id"])
        self.check_room(submission.size_bytes)
        return None

    def _job(self, job_id: str) -> Job:
        now_s = self._clock()
        found = self._sql.execute(
            f"SELECT *, {_EXPIRED} AS is_expired FROM jobs WHERE id = :id", {"id": job_id, "now_s": now_s}
        ).fetchone()
        if found is None:
            raise JobNotFound
        if found["is_expired"]:
            raise JobExpired
        failed = self._sql.execute(
            "SELECT failure FROM pages WHERE job_id = ? AND failure IS NOT NULL ORDER BY number", (job_id,)
        )
        try:
            return rows.load_job(found, [row["failure"] for row in failed])
        except (ValueError, KeyError, TypeError) as error:
            raise JobsUnavailable("The job was submitted to another version of this service.") from error

    def _one(self, query: str, **values: object) -> sqlite3.Row:
        found: sqlite3.Row = self._sql.execute(query, values).fetchone()
        return found
