"""The command-line client's patience: what is asked again, and what is lost all the same."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from serve_app.api import create_api
from serve_app.client import FAILED, NO_SERVICE, Options, run
from serve_app.http_client import Client, NoService, Refused
from serve_app.jobs.config import JobsConfig
from tests.api_client import PNG, Config
from tests.readers import InkReader

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    path.write_bytes(PNG)
    return path


def answering(answer: Answer, tries: int = 5, sleep: Callable[[float], None] = time.sleep) -> Client:
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service")
    return Client(http, tries, sleep)


def test_a_busy_service_is_asked_again_when_it_says(scan: Path) -> None:
    answers = [
        httpx.Response(503, headers={"Retry-After": "7"}),
        httpx.Response(502),
        httpx.Response(503, headers={"Retry-After": "3600"}),
        httpx.Response(200, content=b"read"),
    ]
    waits: list[float] = []
    asked = answering(lambda request: answers.pop(0), sleep=waits.append)
    assert asked.read(scan, {}) == b"read"
    assert waits == [7.0, 2.0, 60.0]


def test_patience_ends(scan: Path) -> None:
    waits: list[float] = []
    asked = answering(lambda request: httpx.Response(503), tries=3, sleep=waits.append)
    with pytest.raises(Refused, match="HTTP 503"):
        asked.read(scan, {})
    assert waits == [1.0, 2.0]


LINES = {"Content-Type": "application/x-ndjson"}
START = b'{"start":{"request_id":"r1","page_count":1,"engines":{}}}\n'
END = b'{"end":{"page_count":0,"timings_ms":{}}}\n'


def problem_line(title: str, retry_after_s: int | None) -> bytes:
    kind = {"type": "/problems/x", "title": title, "status": 503, "detail": "Gone.", "request_id": "r1"}
    return json.dumps({"problem": kind | {"retry_after_s": retry_after_s}}).encode() + b"\n"


BUSY, BROKEN = problem_line("Busy", 2), problem_line("Broken", None)


def test_lines_that_broke_off_are_no_reading(scan: Path) -> None:
    bodies = [START + BUSY, START + b'{"page":', START, START + END]
    waits: list[float] = []
    asked = answering(
        lambda request: httpx.Response(200, content=bodies.pop(0), headers=LINES), sleep=waits.append
    )
    assert asked.read(scan, {"format": "ndjson"}) == START + END
    assert waits == [2.0, 2.0, 4.0]


def test_lines_that_broke_off_for_good_are_a_refusal(scan: Path) -> None:
    asked = answering(lambda request: httpx.Response(200, content=START + BROKEN, headers=LINES))
    with pytest.raises(Refused, match=r"Broken: Gone. \(request r1\)"):
        asked.read(scan, {"format": "ndjson"})


def test_a_redirect_is_no_reading(scan: Path) -> None:
    moved = {"Location": "https://ocr.example/ocr"}
    asked = answering(lambda request: httpx.Response(301, content=b"<html>Moved", headers=moved))
    with pytest.raises(Refused, match=r"HTTP 301 to https://ocr\.example/ocr"):
        asked.read(scan, {})


def test_a_refusal_is_not_repeated(scan: Path) -> None:
    calls: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(415, json={"title": "No", "detail": "It is a song.", "request_id": "r1"})

    with pytest.raises(Refused, match=r"No: It is a song. \(request r1\)"):
        answering(refuse).read(scan, {"pages": "1"})
    assert len(calls) == 1 and calls[0].url.params["pages"] == "1"


def test_a_problem_is_repeated_only_where_it_says_when(scan: Path) -> None:
    """A 504 of the service is its deadline: the same document would take as long again."""
    calls: list[str] = []

    def refuse(status: int, **headers: str) -> Answer:
        def answer(request: httpx.Request) -> httpx.Response:
            calls.append(request.url.path)
            body = {"title": "No", "detail": "Why.", "request_id": "r1"}
            kind = {"Content-Type": "application/problem+json"}
            return httpx.Response(status, json=body, headers={**headers, **kind})

        return answer

    waits: list[float] = []
    for status in (500, 504):
        with pytest.raises(Refused, match=r"No: Why. \(request r1\)"):
            answering(refuse(status), sleep=waits.append).read(scan, {})
    assert (len(calls), waits) == (2, [])
    with pytest.raises(Refused, match="Why"):
        answering(refuse(507, **{"Retry-After": "3"}), tries=2, sleep=waits.append).read(scan, {})
    assert (len(calls), waits) == (4, [3.0])


LOST = [
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("peer closed connection"),
    httpx.ReadTimeout("timed out"),
    httpx.WriteError("broken pipe"),
    httpx.Response(500, text="Internal Server Error"),
    httpx.Response(503),
]


@pytest.mark.parametrize("event", LOST, ids=lambda event: getattr(event, "status_code", type(event).__name__))
def test_what_was_lost_on_the_way_is_sent_again(event: httpx.Response | Exception, scan: Path) -> None:
    """As happens to what an ingress replica or a proxy has in hand when it dies."""
    events = [event, httpx.ConnectError("refused"), httpx.Response(200, content=b"read")]
    waits: list[float] = []
    asked = answering(happening(events), sleep=waits.append)
    assert asked.read(scan, {}) == b"read"
    assert waits == [1.0, 2.0]


def happening(events: list[httpx.Response | Exception]) -> Answer:
    """Each event in turn, the last one again and again."""

    def answer(request: httpx.Request) -> httpx.Response:
        event = events.pop(0) if len(events) > 1 else events[0]
        if isinstance(event, Exception):
            raise event
        return event

    return answer


def test_a_document_that_is_lost_each_time_does_not_end_the_others(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = tmp_path / "lost.png"
    lost.write_bytes(PNG)

    def answer(request: httpx.Request) -> httpx.Response:
        if b"lost.png" in request.read():
            raise httpx.ReadError("")
        return httpx.Response(200, content=b"read")

    places = [tmp_path / "a.txt", tmp_path / "b.txt"]
    asked = answering(answer, tries=3, sleep=lambda seconds: None)
    assert run(asked, [lost, scan], places, Options({}, quiet=True)) == FAILED
    assert not places[0].exists() and places[1].read_bytes() == b"read"
    assert capsys.readouterr().err == f"{lost}: no whole answer came: ReadError\n"


def test_a_job_outlives_a_lost_connection(tmp_path: Path, scan: Path) -> None:
    app = create_api(InkReader(), Config(jobs=JobsConfig(directory=str(tmp_path / "jobs"))))
    with TestClient(app, base_url="http://service") as http:

        class Losing(httpx.BaseTransport):
            """Loses every other answer: what was asked has happened by then."""

            asked = 0

            def handle_request(self, request: httpx.Request) -> httpx.Response:
                answer = http.request(
                    request.method, request.url.raw_path.decode(), content=request.read(),
                    headers=request.headers,
                )  # fmt: skip
                self.asked += 1
                if self.asked % 2:
                    raise httpx.ReadError("reset")
                return httpx.Response(answer.status_code, content=answer.content)

        losing = httpx.Client(transport=Losing(), base_url="http://service")
        read = Client(losing, sleep=lambda seconds: None).read_as_job(scan, {"format": "text"})
        assert read.decode() == "row 1\nrow 2\n"
        with sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite3") as connection:
            assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
        connection.close()


def test_without_a_service_it_says_so(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waits: list[float] = []
    asked = answering(happening([httpx.ConnectError("refused")]), tries=3, sleep=waits.append)
    code = run(asked, [scan], [None], Options({}, quiet=True))
    assert code == NO_SERVICE
    assert capsys.readouterr().err == "http://service does not answer: refused\n"
    assert waits == [1.0, 2.0]


def test_an_address_that_is_none_is_told_at_once(scan: Path) -> None:
    waits: list[float] = []
    with httpx.Client(base_url="service:8000") as http, pytest.raises(NoService):
        Client(http, sleep=waits.append).read(scan, {})
    assert waits == []


@pytest.mark.parametrize("as_job", [False, True])
def test_a_web_page_is_no_reading_and_no_job(as_job: bool, scan: Path) -> None:
    page = httpx.Response(200, html="<title>Sign in</title>")
    asked = answering(lambda request: page)
    read = asked.read_as_job if as_job else asked.read
    with pytest.raises(Refused, match="stands before the service"):
        read(scan, {"format": "text"})
    assert asked.read(scan, {"format": "hocr"}) == page.content


def test_an_answer_that_cannot_be_decoded_is_asked_for_again(scan: Path) -> None:
    answers = [httpx.Response(200, content=b"read")]

    def answer(request: httpx.Request) -> httpx.Response:
        if answers and not waits:
            raise httpx.DecodingError("not gzip", request=request)
        return answers.pop()

    waits: list[float] = []
    assert answering(answer, sleep=waits.append).read(scan, {}) == b"read"
    assert waits == [1.0]


def test_a_time_to_wait_that_is_no_number_is_not_waited_for(scan: Path) -> None:
    answers = [
        httpx.Response(503, headers={"Retry-After": "²".encode("latin-1")}),
        httpx.Response(200, content=b"read"),
    ]
    waits: list[float] = []
    assert answering(lambda request: answers.pop(0), sleep=waits.append).read(scan, {}) == b"read"
    assert waits == [1.0]
