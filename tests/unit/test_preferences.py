"""Prefer: wait=N, and the deadline that it sets."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.deadline import deadline, remaining_s
from serve_app.preferences import preferred_wait_s
from tests.api_client import PNG, THREE_PAGES, assert_problem, serving
from tests.readers import InkReader


@pytest.mark.parametrize(
    ("values", "seconds"),
    [([], None), ([""], None), (["wait=10"], 10), (["respond-async, wait=10"], 10), (["Wait = 7 ; x=1"], 7),
     (['wait="5"'], 5), (["respond-async", "wait=3"], 3), (["wait=3, wait=9"], 3), (["wait"], None),
     (["wait=soon"], None), (["wait=1.5"], None), (["wait=-1"], None), (["waiting=4"], None),
     (['note="a, wait=9", wait=2'], 2), (['note="wait=9'], None), (["wait=9999999999"], None),
     (["," * 50 + "wait=1"], 1)],
)  # fmt: skip
def test_the_wait_in_prefer_headers(values: list[str], seconds: int | None) -> None:
    assert preferred_wait_s(values) == seconds


@pytest.mark.parametrize("path", ["/ocr", "/ocr?format=ndjson"])
async def test_a_reading_takes_no_longer_than_the_client_waits(path: str) -> None:
    reader = InkReader(gate=asyncio.Event())
    async with serving(reader) as client:
        answer = await client.post(path, content=PNG, headers={"Prefer": "wait=0"})
    assert "within 0 s" in assert_problem(answer, 504, "deadline_exceeded").detail
    assert reader.cancelled == len(reader.calls)


async def test_the_service_waits_no_longer_than_it_is_configured_to() -> None:
    async with serving(InkReader(gate=asyncio.Event()), request_deadline_s=0.02) as client:
        answer = await client.post("/ocr", content=PNG, headers={"Prefer": "wait=3600"})
    assert "within 0.02 s" in assert_problem(answer, 504, "deadline_exceeded").detail


@pytest.mark.parametrize("path", ["/ocr", "/ocr?format=ndjson"])
async def test_the_answer_says_that_the_wait_was_heeded(path: str) -> None:
    async with serving() as client:
        asked = await client.post(path, content=PNG, headers={"Prefer": "wait=20"})
        plain = await client.post(path, content=PNG)
    assert asked.headers["preference-applied"] == "wait=20"
    assert "preference-applied" not in plain.headers


@pytest.mark.parametrize("path", ["/ocr", "/ocr?format=ndjson"])
@pytest.mark.parametrize(("wait", "applied"), [(30, "wait=30"), (31, None), (99_999, None)])
async def test_a_wait_beyond_the_limit_of_the_service_is_not_applied(
    path: str, wait: int, applied: str | None
) -> None:
    async with serving(request_deadline_s=30.0) as client:
        answer = await client.post(path, content=PNG, headers={"Prefer": f"wait={wait}"})
    assert (answer.status_code, answer.headers.get("preference-applied")) == (200, applied)


async def test_the_stages_know_how_much_time_is_left() -> None:
    """Also where they are called in tasks of their own, and not beyond the request."""
    seen: list[float | None] = []

    class Asking(InkReader):
        async def stream(self, pages, options):  # type: ignore[no-untyped-def]
            async for result in InkReader.stream(self, pages, options):
                seen.append(await asyncio.create_task(self._left()))
                yield result

        async def _left(self) -> float | None:
            return remaining_s()

    async with serving(Asking()) as client:
        answer = await client.post("/ocr", content=THREE_PAGES, headers={"Prefer": "wait=9"})
    assert answer.status_code == 200
    assert len(seen) == 3 and all(left is not None and 0 < left <= 9 for left in seen)
    assert remaining_s() is None


async def test_after_the_end_less_than_nothing_is_left() -> None:
    with pytest.raises(TimeoutError):
        async with deadline(0.0):
            assert (remaining_s() or 0) <= 0
            await asyncio.Event().wait()
