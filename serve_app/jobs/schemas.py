"""Wire models of jobs; see ``serve_app.schemas``."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from serve_app.jobs.records import JobState
from serve_app.schemas import Answered, ItemError, OutputFormat, Problem, Sent


class JobProgress(Answered):
    """How far a job is."""

    pages_done: int = Field(ge=0, description="pages that are read, those that failed included")
    page_count: int = Field(ge=1, description="pages to be read")


class PageFailureView(Answered):
    """A page of a job that could not be read; the others are not affected."""

    file: int = Field(ge=1, description="number of the file in the request, from 1")
    page: int = Field(ge=1, description="number of the page in its file, from 1")
    error: ItemError


class JobLinks(Answered):
    """Where a job and its result are, paths of this service."""

    job: str = Field(description="GET: this document; DELETE: cancel and remove")
    result: str = Field(description="GET: the result, once `status` is `succeeded`")


class JobView(Answered):
    """A job: a document that is read in the background."""

    id: str = Field(description="cannot be guessed: who knows it, and has the key that made it, has the job")
    status: JobState = Field(
        description="`queued`: waits for its turn, `running`: pages are read, `succeeded`: the result is "
        "there, `failed`: `problem` says why"
    )
    format: OutputFormat = Field(description="format of the kept result; others are written on request")
    progress: JobProgress
    page_failures: tuple[PageFailureView, ...] = Field(
        description="pages so far that could not be read; when all of them fail the job fails"
    )
    created_at: datetime = Field(description="when it was submitted, UTC")
    started_at: datetime | None = Field(description="when its reading began, UTC; null while it is queued")
    finished_at: datetime | None = Field(description="when it succeeded or failed, UTC; null until then")
    expires_at: datetime = Field(
        description="when it will be removed with its result, UTC; counts anew from `finished_at`"
    )
    problem: Problem | None = Field(
        description="why it failed, with the request id of its submission; null otherwise"
    )
    links: JobLinks


class ResultQuery(Sent):
    """Query parameters of a result."""

    format: OutputFormat | None = Field(
        None,
        description="as for a reading; without it the Accept header decides, and the format that the job was "
        "submitted with is the default",
    )
