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

_BUSY = frozenset({429, 502, 503, 504})
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0

Progress = Callable[[int, int], None]
"""Told how many pages are done, and of how many."""


class Refused(Exception):
    """The service does not read this document; the message is its own."""


class NoService(Exception):
    """Nothing answers at the address."""


@dataclass(frozen=True, slots=True)
class Client:
    """Sends documents to a service.

    ``http`` has the address as its ``base_url``. A busy service is asked ``tries`` times in all, after
    what its Retry-After says or after 1, 2, 4, ... seconds, at most a minute each.
    """

    http: httpx.Client
    tries: int = 5
    sleep: Callable[[float], None] = time.sleep

    def read(self, document: Path, parameters: dict[str, str]) -> bytes:
        """The reading of one document, in the format that ``parameters`` ask for.

        Raises:
            Refused: the service answered with a problem, or stayed busy.
            NoService: it did not answer.
            OSError: the document cannot be read from disk.
        """
        return self._ask("POST", "/ocr", params=parameters, files=_form(document)).content

    def read_as_job(
        self, document: Path, parameters: dict[str, str], progress: Progress = lambda done, count: None
    ) -> bytes:
        """As ``read``, by way of a job: for documents that take longer than a request may.

        The job is removed at the end, also when it is waited for in vain.
        """
        # Sent again after a failure that left its fate unknown, it is still one job.
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        submitted = self._ask("POST", "/jobs", params=parameters, files=_form(document), headers=headers)
        path = f"/jobs/{submitted.json()['id']}"
        try:
            self._await_job(path, progress)
            return self._ask("GET", f"{path}/result").content
        finally:
            with contextlib.suppress(Refused, NoService):
                self._ask("DELETE", path)

    def _await_job(self, path: str, progress: Progress) -> None:
        while True:
            answer = self._ask("GET", path)
            job = answer.json()
            progress(job["progress"]["pages_done"], job["progress"]["page_count"])
            if job["problem"]:
                raise Refused(_words(job["problem"]))
            if job["finished_at"]:
                return
            self.sleep(_wait_s(answer, 0))

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        for attempt in range(self.tries):
            try:
                answer = self.http.request(method, path, **content)
            except httpx.TransportError as error:
                raise NoService(f"{self.http.base_url} does not answer: {error}") from error
            if answer.status_code not in _BUSY or attempt + 1 == self.tries:
                break
            self.sleep(_wait_s(answer, attempt))
        if answer.is_error:
            raise Refused(_problem(answer))
        return answer


def _form(document: Path) -> dict[str, tuple[str, bytes]]:
    """A document as a form field: answers then tell its name."""
    return {"file": (document.name, document.read_bytes())}


def _wait_s(answer: httpx.Response, attempt: int) -> float:
    said = answer.headers.get("Retry-After", "")
    wait_s = float(said) if said.isdigit() else _FIRST_WAIT_S * 2**attempt
    return min(wait_s, _LONGEST_WAIT_S)


def _problem(answer: httpx.Response) -> str:
    """What a refusal says: its problem document, or its status where a proxy answered."""
    try:
        return _words(answer.json())
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


def _words(problem: dict[str, Any]) -> str:
    return f"{problem['title']}: {problem['detail']} (request {problem['request_id']})"
