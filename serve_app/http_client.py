"""How a program asks the service: with patience, for one answer or by way of a job."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serve_app import problems
from serve_app.negotiation import MEDIA_TYPES
from serve_app.schemas import OutputFormat
from serve_app.stream_schemas import StreamLine

# What Ray Serve or a proxy answers by itself while a part of the service is away.
_PASSING = frozenset({429, 500, 502, 503, 504})
# Half a minute together: the slowest part to come back, the proxy, takes 16 s.
TRIES = 6
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_WEB_PAGE = "text/html"
# No request was made of these: another try ends as the first.
_NOT_SENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)

Progress = Callable[[int, int], None]
"""Told how many pages are done, and of how many."""


class Refused(Exception):
    """The service did not read this document; the message says why, in its own words where it has any."""


class NoService(Exception):
    """Nothing takes connections at the address."""


@dataclass(frozen=True, slots=True)
class Client:
    """Sends documents to a service.

    ``http`` has the address as its ``base_url``. What may pass is asked ``tries`` times in all, after
    what Retry-After says or after 1, 2, 4, ... seconds, at most a minute each: a busy service, a lost
    connection, and a part of the service that died. A reading that was lost changed nothing.
    """

    http: httpx.Client
    tries: int = TRIES
    sleep: Callable[[float], None] = time.sleep

    def read(self, document: Path, parameters: dict[str, str]) -> bytes:
        """The reading of one document, in the format that ``parameters`` ask for.

        Raises:
            Refused: the service answered with a problem, stayed busy, or never answered to the end.
            NoService: nothing took the connection.
            OSError: the document cannot be read from disk.
        """
        answer = self._ask("POST", "/ocr", params=parameters, files=_form(document))
        return _reading(answer, parameters)

    def read_as_job(
        self, document: Path, parameters: dict[str, str], progress: Progress = lambda done, count: None
    ) -> bytes:
        """As ``read``, by way of a job: for documents that take longer than a request may.

        The job is removed at the end, also when it is waited for in vain.
        """
        # Sent again after a failure that left its fate unknown, it is still one job.
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        submitted = self._ask("POST", "/jobs", params=parameters, files=_form(document), headers=headers)
        path = f"/jobs/{_job(submitted)['id']}"
        try:
            self._await_job(path, progress)
            return _reading(self._ask("GET", f"{path}/result"), parameters)
        finally:
            with contextlib.suppress(Refused, NoService):
                self._ask("DELETE", path)

    def _await_job(self, path: str, progress: Progress) -> None:
        while True:
            answer = self._ask("GET", path)
            job = _job(answer)
            progress(job["progress"]["pages_done"], job["progress"]["page_count"])
            if job["problem"]:
                raise Refused(_words(job["problem"]))
            if job["finished_at"]:
                return
            self.sleep(_wait_s(answer.headers.get("Retry-After", ""), 0))

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        failure: Refused | NoService
        for attempt in range(self.tries):
            try:
                answer = self.http.request(method, path, **content)
            except httpx.RequestError as error:
                failure, wait_s = self._lost(error), _back_off_s(attempt)
                may_pass = not isinstance(error, _NOT_SENT)
            else:
                if (fault := _fault(answer)) is None:
                    return answer
                failure, wait_s = Refused(fault.words), _wait_s(fault.retry_after, attempt)
                may_pass = fault.may_pass
            if not may_pass:
                break
            if attempt + 1 < self.tries:
                self.sleep(wait_s)
        raise failure

    def _lost(self, error: httpx.RequestError) -> Refused | NoService:
        reason = str(error) or type(error).__name__
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, *_NOT_SENT)):
            return NoService(f"{self.http.base_url} does not answer: {reason}")
        return Refused(f"no whole answer came: {reason}")


def _form(document: Path) -> dict[str, tuple[str, bytes]]:
    """A document as a form field: answers then tell its name."""
    return {"file": (document.name, document.read_bytes())}


def _reading(answer: httpx.Response, parameters: dict[str, str]) -> bytes:
    """What was asked for. Raises Refused where somebody else answered: a login page, for one."""
    if _media_type(answer) == _WEB_PAGE and parameters.get("format") != OutputFormat.HOCR:
        raise Refused("a web page came in place of a reading: something stands before the service")
    return answer.content


def _job(answer: httpx.Response) -> dict[str, Any]:
    """What a job has come to. Raises Refused where somebody else answered."""
    try:
        job = answer.json()
    except ValueError:
        job = None
    if not isinstance(job, dict) or not {"id", "progress", "problem", "finished_at"} <= job.keys():
        raise Refused("no job came in answer: something stands before the service")
    return job


def _media_type(answer: httpx.Response) -> str:
    return str(answer.headers.get("Content-Type", "")).partition(";")[0]


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why an answer is no reading; whether, and after what ``Retry-After`` says, to ask again."""

    words: str
    may_pass: bool
    retry_after: str = ""


def _fault(answer: httpx.Response) -> _Fault | None:
    if answer.is_success:
        is_stream = _media_type(answer) in MEDIA_TYPES[OutputFormat.NDJSON]
        return _broken_off(answer.content) if is_stream else None
    words = _problem(answer)
    if answer.has_redirect_location:
        words += f" to {answer.headers['Location']}: give that address"
    return _Fault(words, _may_pass(answer), answer.headers.get("Retry-After", ""))


def _broken_off(lines: bytes) -> _Fault | None:
    """What is wrong with JSON lines whose last one is not ``end``."""
    try:
        last = StreamLine.model_validate_json(lines.rstrip().rpartition(b"\n")[2])
    except ValueError:
        last = StreamLine()
    if last.end:
        return None
    if problem := last.problem:
        words, retry_after_s = _words(problem.model_dump()), problem.retry_after_s
        return _Fault(words, retry_after_s is not None, str(retry_after_s))
    return _Fault("no whole answer came: its last line is missing", may_pass=True)


def _may_pass(answer: httpx.Response) -> bool:
    """Whether it makes sense to ask again. A problem says so itself: by Retry-After."""
    if answer.headers.get("Content-Type", "").startswith(problems.MEDIA_TYPE):
        return "Retry-After" in answer.headers
    return answer.status_code in _PASSING


def _wait_s(said: str, attempt: int) -> float:
    is_number = said.isascii() and said.isdecimal()
    return min(float(said), _LONGEST_WAIT_S) if is_number else _back_off_s(attempt)


def _back_off_s(attempt: int) -> float:
    return min(_FIRST_WAIT_S * 2.0**attempt, _LONGEST_WAIT_S)


def _problem(answer: httpx.Response) -> str:
    """What a refusal says: its problem document, or its status where a proxy answered."""
    try:
        return _words(answer.json())
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


def _words(problem: dict[str, Any]) -> str:
    return f"{problem['title']}: {problem['detail']} (request {problem['request_id']})"
