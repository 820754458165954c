"""The load runner against a service that answers from this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks.load.documents import Document, draw
from benchmarks.load.runner import Outcome, Runner, difference, summary
from benchmarks.load.traffic import Arrival
from deployments.types import Kind

SEED = 1
Answer = Callable[[httpx.Request], httpx.Response]


def arrival(number: int = 0) -> Arrival:
    return Arrival(number=number, at_s=0.0, phase="a", kind="receipt")


def reading(document: Document, **changes: Any) -> dict[str, Any]:
    regions = [{"text": text, "kind": str(document.kind)} for text in document.texts]
    return {"pages": [{"error": None, "regions": regions, **changes}]}


def run(answer: Answer, count: int = 1, patience_s: float = 60) -> tuple[list[Outcome], list[float]]:
    waited_s: list[float] = []

    async def no_wait(seconds: float) -> None:
        waited_s.append(seconds)

    async def main() -> list[Outcome]:
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            runner = Runner(http, SEED, patience_s, no_wait)
            return await runner.run(arrival(number) for number in range(count))

    return asyncio.run(main()), waited_s


def test_right_answers_are_right() -> None:
    documents = {draw(arrival(n), SEED).body: draw(arrival(n), SEED) for n in range(3)}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=reading(documents[request.content]))

    outcomes, _ = run(answer, 3)
    assert [(o.right, o.lost, o.refusals) for o in outcomes] == [(True, False, [])] * 3


def test_an_answer_to_another_document_is_wrong() -> None:
    other = draw(arrival(99), SEED)
    (outcome,), _ = run(lambda request: httpx.Response(200, json=reading(other)))
    assert not outcome.right and not outcome.lost and "written" in outcome.problem


def test_refusals_are_obeyed_and_counted() -> None:
    problem = {"type": "/problems/overloaded"}
    answers: list[httpx.Response | Exception] = [
        httpx.Response(503, headers={"Retry-After": "2"}, json=problem),
        httpx.ConnectError("gone"),
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(200, json=reading(draw(arrival(), SEED))),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        coming = answers.pop(0)
        if isinstance(coming, Exception):
            raise coming
        return coming

    (outcome,), waited_s = run(answer)
    assert outcome.right and outcome.refusals == ["503 overloaded", "ConnectError", "500"]
    assert waited_s[1:] == [2.0, 4.0, 5.0]


def test_what_is_never_answered_is_lost() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, headers={"Retry-After": "9"})

    (outcome,), _ = run(answer, patience_s=5)
    assert outcome.lost and outcome.problem == "503"


def test_a_client_error_is_no_refusal() -> None:
    (outcome,), _ = run(lambda request: httpx.Response(413, text="too large"))
    assert not outcome.right and not outcome.lost and outcome.problem.startswith("status 413")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"error": {"code": "stage_failed"}, "regions": []}, "the page failed: stage_failed"),
        ({"regions": []}, "read ()"),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, Any], said: str) -> None:
    document = draw(arrival(), SEED)
    assert said in difference(httpx.Response(200, json=reading(document, **changes)), document)


def test_a_line_of_the_wrong_kind_is_a_difference() -> None:
    document = draw(arrival(), SEED)
    answer = json.loads(json.dumps(reading(document)))
    answer["pages"][0]["regions"][0]["kind"] = str(Kind.HANDWRITTEN)
    assert "kinds" in difference(httpx.Response(200, json=answer), document)


def test_the_summary_counts() -> None:
    outcomes = [
        Outcome(arrival(0), 1.0, right=True),
        Outcome(arrival(1), 3.0, refusals=["503"]),
        Outcome(arrival(2), None, refusals=["503", "500"]),
    ]
    found = summary(outcomes)
    counts = {name: found[name] for name in ("documents", "right", "wrong", "lost", "retried")}
    assert counts == {"documents": 3, "right": 1, "wrong": 1, "lost": 1, "retried": 2}
    assert found["refusals"] == {"500": 1, "503": 2} and found["latency_s"]["p50"] == 2.0
    assert summary([])["latency_s"] == {"p50": None, "p95": None, "p99": None}
