"""The HTTP application: routes over a :class:`~serve_app.reader.Reader`; knows no Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated, Protocol

from fastapi import FastAPI, HTTPException, Path, Query, Request, Response

from deployments.errors import DeadlineExceeded
from serve_app import contract, problems, streaming
from serve_app.deadline import deadline
from serve_app.disconnect import unless_disconnected
from serve_app.faults import install_handlers, problem_response, request_id, tell_problem
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.routes import SUBMISSIONS, add_job_routes
from serve_app.jobs.service import Jobs
from serve_app.middleware.config import Access
from serve_app.middleware.stack import Bounds, install_middleware, keys_wanted
from serve_app.negotiation import WrittenAs, negotiate, result_headers
from serve_app.observer import Observer, Unobserved
from serve_app.pages import SourceFile
from serve_app.preferences import preferred_wait_s
from serve_app.reader import Reader
from serve_app.reading import DocumentLimits, DocumentReader, Files
from serve_app.render.formats import Reading
from serve_app.schemas import Health, OcrQuery, OutputFormat, ProblemKind, Readiness, StagesProblem
from serve_app.site import mount_site
from serve_app.uploads import encoded_document, plain_body, uploaded_files

Parameters = Annotated[OcrQuery, Query()]
ProblemCode = Annotated[str, Path(description="the last part of a problem's `type`, such as `overloaded`")]


class ApiLimits(Bounds, DocumentLimits, Protocol):
    """What a request may ask for; see ``serve_app.config.Limits``."""

    @property
    def request_deadline_s(self) -> float: ...
    @property
    def max_files(self) -> int: ...


class ApiConfig(Protocol):
    """The part of the configuration that the HTTP side uses."""

    @property
    def limits(self) -> ApiLimits: ...
    @property
    def access(self) -> Access: ...
    @property
    def jobs(self) -> JobsConfig | None: ...


def create_api(
    reader: Reader,
    config: ApiConfig,
    *,
    echo_request_id: bool = True,
    observer: Observer | None = None,
) -> FastAPI:
    """The ASGI application that answers for ``reader``.

    ``echo_request_id`` is off behind a server that writes X-Request-ID itself; ``observer`` is told
    of problems, turns, decoders and jobs.
    """
    observer = observer or Unobserved()
    service = _Service(reader, config.limits, observer)
    jobs = (
        Jobs(service.documents, config.jobs, config.limits.request_deadline_s, observer)
        if config.jobs
        else None
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        async with jobs.running() if jobs else nullcontext():
            yield
        service.close()

    app = FastAPI(
        title=contract.TITLE,
        version=contract.VERSION,
        description=contract.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    max_bytes_at = {SUBMISSIONS: config.jobs.max_body_bytes} if config.jobs else {}
    install_middleware(app, config, echo_request_id=echo_request_id, max_bytes_at=max_bytes_at)
    install_handlers(app, observer.problem)
    _add_reading_routes(app, service)
    if jobs:
        add_job_routes(app, jobs, config.limits.max_files)
    _add_state_routes(app, reader)
    mount_site(app, config.limits, config.jobs.max_body_bytes if config.jobs else 0)
    contract.install(app, keys_wanted=keys_wanted(config.access))
    return app


class _Service:
    """Answers requests for readings, within the limits."""

    def __init__(self, reader: Reader, limits: ApiLimits, observer: Observer) -> None:
        self.documents = DocumentReader(reader, limits, observer)
        self.limits = limits

    def start(self) -> None:
        self.documents.start()

    async def answer(
        self, request: Request, query: OcrQuery, written_as: WrittenAs, files: Files
    ) -> Response:
        """Read a document, and write the answer; the work ends when the client goes away.

        Raises:
            DeadlineExceeded: it took longer than the limits or the client's ``Prefer: wait`` allow.
        """
        wait_s, limit_s = self._patience_s(request)
        if written_as[0] is OutputFormat.NDJSON:
            response: Response = await streaming.stream(
                self.documents, request, query, files, limit_s, written_as[1]
            )
        else:
            response = await self._whole(request, query, files, written_as, limit_s)
        if wait_s is not None and wait_s <= self.limits.request_deadline_s:
            response.headers["Preference-Applied"] = f"wait={wait_s}"
        return response

    def expect(self, request: Request, query: OcrQuery) -> WrittenAs:
        """What the answer will be written as; refuses what needs no body for that while it is unread.

        Raises:
            InvalidParameter, NotAcceptable: what is asked for cannot be had.
            Overloaded: as ``DocumentReader.open``, which looks again when the body is there.
        """
        self.documents.check(query)
        written_as = negotiate(query.format, ", ".join(request.headers.getlist("accept")))
        _, limit_s = self._patience_s(request)
        self.documents.refuse_if_late(limit_s)
        return written_as

    def _patience_s(self, request: Request) -> tuple[int | None, float]:
        """What the client prefers to wait, and how long it may be let wait."""
        wait_s = preferred_wait_s(request.headers.getlist("prefer"))
        most_s = self.limits.request_deadline_s
        return wait_s, most_s if wait_s is None else min(wait_s, most_s)

    async def _whole(
        self,
        request: Request,
        query: OcrQuery,
        files: Files,
        written_as: WrittenAs,
        limit_s: float,
    ) -> Response:
        """The answer once all of it is there, written as a format under a media type."""
        started_s = time.perf_counter()
        output, media_type = written_as
        try:
            async with deadline(limit_s):
                work = self.documents.read(files, query, output)
                document, images = await unless_disconnected(request.receive, work)
                timings_ms = {**document.timings_ms, "total": _since_ms(started_s)}
                reading = Reading(document, request_id(request), timings_ms, query.words, images)
                body = await self.documents.write(reading, output)
        except TimeoutError:
            raise DeadlineExceeded(f"The document was not read within {limit_s:g} s.") from None
        return _response(body, output, media_type, timings_ms)

    def close(self) -> None:
        self.documents.close()


def _add_reading_routes(app: FastAPI, service: _Service) -> None:
    @app.post("/ocr", **contract.READ_UPLOAD)
    async def read_upload(request: Request, query: Parameters) -> Response:
        """Read the documents in multipart fields `image` or `file`, or the one in the raw body.

        The format is detected from the content: PDF, JPEG, PNG, TIFF (all pages), WebP, BMP, GIF (first
        frame). Pages of several files follow each other, in the order of the files.
        """
        written_as = service.expect(request, query)
        limits = service.limits
        files = await uploaded_files(request, limits.max_body_bytes, limits.max_files)
        return await service.answer(request, query, written_as, lambda: files)

    @app.post("/api/", **contract.READ_ENCODED)
    async def read_encoded(request: Request, query: Parameters) -> Response:
        """Read the document in a base64 data URL; the answer is that of `/ocr`."""
        written_as = service.expect(request, query)
        body = await plain_body(request)
        return await service.answer(request, query, written_as, lambda: [SourceFile(encoded_document(body))])


def _add_state_routes(app: FastAPI, reader: Reader) -> None:
    @app.get("/healthz", **contract.HEALTH)
    async def alive() -> Health:
        """The process is running and responds."""
        return Health(status="alive")

    @app.get("/readyz", **contract.READINESS)
    async def ready(request: Request) -> Response:
        """Every stage is warm and takes work."""
        stages = dict(await reader.readiness())
        if stages and all(stages.values()):
            return _json(Readiness(ready=True, stages=stages).model_dump_json())
        tell_problem(request, problems.NOT_READY)
        cold = ", ".join(name for name, warm in stages.items() if not warm)
        problem = problems.problem(problems.NOT_READY, f"Not warm yet: {cold}.", request_id(request))
        return problem_response(StagesProblem(**problem.model_dump(), stages=stages), {"Retry-After": "1"})

    @app.get("/problems/{code}", **contract.PROBLEM_KIND)
    async def problem_kind(code: ProblemCode) -> ProblemKind:
        """What the `type` of a problem refers to."""
        kind = problems.catalogue().get(code)
        if kind is None:
            raise HTTPException(404)
        return kind


def _response(
    body: bytes, output: OutputFormat, media_type: str, timings_ms: Mapping[str, float]
) -> Response:
    timing = ", ".join(f"{stage};dur={spent:.1f}" for stage, spent in timings_ms.items())
    headers = {"Server-Timing": timing, **result_headers(output)}
    return Response(body, headers=headers, media_type=media_type)


def _json(body: str) -> Response:
    return Response(body, media_type="application/json")


def _since_ms(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1000
