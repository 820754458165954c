"""The routes of jobs: HTTP around :class:`~serve_app.jobs.service.Jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, Header, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from serve_app import problems
from serve_app.disconnect import unless_disconnected
from serve_app.faults import problem_response, request_id, tell_problem
from serve_app.jobs import contract
from serve_app.jobs.errors import JobFailed
from serve_app.jobs.records import Failure, Job, JobRequest
from serve_app.jobs.schemas import JobLinks, JobProgress, JobView, PageFailureView, ResultQuery
from serve_app.jobs.service import LOOK_AGAIN_S, Jobs
from serve_app.jobs.store import StoredResult
from serve_app.negotiation import negotiate, result_headers
from serve_app.schemas import ItemError, JobFailedProblem, OcrQuery, OutputFormat, Problem
from serve_app.uploads import uploaded_files

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="1 to 255 characters of your own, new for each job: a submission that is sent again "
        "with the same key, parameters, format, files and file names makes no second job, and is answered "
        "with the first. A key belongs to the API key that sent it, and is free again once its job is "
        "removed or has expired",
    ),
]


JobId = Annotated[str, Path(description="id of the job, as its submission was answered")]
SUBMISSIONS = "/jobs"


def add_job_routes(app: FastAPI, jobs: Jobs, max_files: int) -> None:
    """Add the routes; a submission may have ``max_files``."""

    @app.post(SUBMISSIONS, **contract.SUBMIT_JOB)
    async def submit_job(
        request: Request, query: Annotated[OcrQuery, Query()], idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Have a document read in the background; body and parameters are those of `/ocr`.

        A document that cannot be opened is refused at once. Jobs run in the background and share the
        models with other requests; they survive the death of the service's processes. `format`, or
        `Accept` where it is not given, chooses the format that the result is stored in; the 202 is JSON
        always. `Prefer` is ignored.
        """
        jobs.check(query)
        output, _ = negotiate(query.format, _accept(request))
        # With a key it may be one that is stored already, which needs no room: its body will show.
        if idempotency_key is None:
            await jobs.refuse_if_full(_announced_bytes(request))
        files = await uploaded_files(request, jobs.config.max_body_bytes, max_files)
        wanted = JobRequest(query, output, request_id(request), _owner(request), idempotency_key)
        job = await unless_disconnected(request.receive, jobs.submit(wanted, lambda: files))
        view = _view(request, job)
        return _answer(view, 202, {"Location": view.links.job, "Retry-After": f"{LOOK_AGAIN_S:.0f}"})

    @app.get("/jobs/{job_id}", **contract.GET_JOB)
    async def get_job(request: Request, job_id: JobId) -> Response:
        """Status, progress, and the pages that could not be read."""
        job = await jobs.find(job_id, _owner(request))
        return _answer(
            _view(request, job), 200, {} if job.is_finished else {"Retry-After": f"{LOOK_AGAIN_S:.0f}"}
        )

    @app.get("/jobs/{job_id}/result", **contract.GET_JOB_RESULT)
    async def get_job_result(
        request: Request, job_id: JobId, query: Annotated[ResultQuery, Query()]
    ) -> Response:
        """The document as it was read, in any format; that of a failed job is `job_failed` with a `cause`."""
        job = await jobs.find(job_id, _owner(request))
        if job.failure is not None:
            return _job_failed(request, _problem(job.failure, job.request.request_id))
        output, media_type = negotiate(query.format, _accept(request), job.request.output)
        result = await unless_disconnected(request.receive, jobs.result(job, output))
        return _result(result, output, media_type)

    @app.delete("/jobs/{job_id}", **contract.DELETE_JOB)
    async def delete_job(request: Request, job_id: JobId) -> Response:
        """Stop the reading, if it still runs, and remove document, pages and result."""
        await jobs.remove(await jobs.find(job_id, _owner(request)))
        return Response(status_code=204)


def _accept(request: Request) -> str:
    return ", ".join(request.headers.getlist("accept"))


def _announced_bytes(request: Request) -> int:
    """The size of the body as its sender states it; 0 where it does not."""
    stated = request.headers.get("content-length", "")
    return int(stated) if stated.isdecimal() else 0


def _owner(request: Request) -> str:
    """Whose key the request has; empty where none is needed."""
    return str(getattr(request.state, "caller", ""))


def _answer(view: JobView, status: int, headers: Mapping[str, str]) -> Response:
    body = view.model_dump_json()
    return Response(body, status_code=status, headers=dict(headers), media_type="application/json")


def _result(result: StoredResult | bytes, output: OutputFormat, media_type: str) -> Response:
    headers = result_headers(output)
    if isinstance(result, bytes):
        return Response(result, headers=headers, media_type=media_type)
    headers["Content-Length"] = str(result.size_bytes)
    return StreamingResponse(result.chunks, headers=headers, media_type=media_type)


def _job_failed(request: Request, cause: Problem) -> Response:
    """Its own kind of problem: that of ``cause`` may say to ask again, and this answer never changes."""
    kind = problems.kind_of(JobFailed)
    detail = cause.title if cause.detail == cause.title else f"{cause.title}: {cause.detail}"
    tell_problem(request, kind)
    problem = problems.problem(kind, detail, request_id(request))
    return problem_response(JobFailedProblem(**problem.model_dump(), cause=cause))


def _view(request: Request, job: Job) -> JobView:
    path = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return JobView(
        id=job.id,
        status=job.state,
        format=job.request.output,
        progress=JobProgress(pages_done=job.pages_done, page_count=job.page_count),
        page_failures=tuple(
            PageFailureView(
                file=failed.file,
                page=failed.page,
                error=ItemError(code=failed.failure.code, detail=failed.failure.detail),
            )
            for failed in job.page_failures
        ),
        created_at=_time(job.created_s),
        started_at=None if job.started_s is None else _time(job.started_s),
        finished_at=None if job.finished_s is None else _time(job.finished_s),
        expires_at=_time(job.expires_s),
        problem=None if job.failure is None else _problem(job.failure, job.request.request_id),
        links=JobLinks(job=path, result=f"{path}/result"),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def _problem(failure: Failure, identity: str) -> Problem:
    kind = problems.catalogue().get(failure.code, problems.INTERNAL)
    return problems.problem(kind, failure.detail, identity)
