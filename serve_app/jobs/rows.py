"""Columns of the tables of jobs: JSON texts of records, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from serve_app.jobs.records import Failure, Job, JobRequest, JobState, PageFailure, Summary
from serve_app.schemas import OcrQuery, OutputFormat


def dump_request(request: JobRequest) -> str:
    """The request without owner and idempotency key, which are columns."""
    return json.dumps(
        {
            "query": request.query.model_dump(mode="json", exclude_unset=True),
            "output": request.output,
            "request_id": request.request_id,
        }
    )


def _load_request(row: sqlite3.Row) -> JobRequest:
    fields = json.loads(row["request"])
    return JobRequest(
        query=OcrQuery.model_validate(fields["query"]),
        output=OutputFormat(fields["output"]),
        request_id=fields["request_id"],
        owner=row["owner"],
        idempotency_key=row["idempotency_key"],
    )


def dump_names(names: Sequence[str | None]) -> str:
    """Names of files."""
    return json.dumps(list(names))


def load_names(text: str) -> list[str | None]:
    """Back from ``dump_names``."""
    names: list[str | None] = json.loads(text)
    return names


def dump_failure(failure: Failure) -> str:
    """A failure."""
    return json.dumps(asdict(failure))


def dump_page_failure(failed: PageFailure | None) -> str | None:
    """The failure of a page, if any."""
    return None if failed is None else json.dumps(asdict(failed))


def _load_page_failure(text: str) -> PageFailure:
    fields = json.loads(text)
    return PageFailure(fields["page"], fields["file"], Failure(**fields["failure"]))


def dump_summary(summary: Summary) -> str:
    """A summary."""
    return json.dumps({"engines": dict(summary.engines), "timings_ms": dict(summary.timings_ms)})


def load_job(row: sqlite3.Row, page_failures: Sequence[str]) -> Job:
    """A job out of its row, and the failures of its pages."""
    return Job(
        id=row["id"],
        request=_load_request(row),
        state=JobState(row["state"]),
        page_count=row["page_count"],
        created_s=row["created_s"],
        expires_s=row["expires_s"],
        pages_done=row["pages_done"],
        started_s=row["started_s"],
        finished_s=row["finished_s"],
        page_failures=tuple(_load_page_failure(text) for text in page_failures),
        failure=Failure(**json.loads(row["failure"])) if row["failure"] else None,
        summary=Summary(**json.loads(row["summary"])) if row["summary"] else None,
    )
