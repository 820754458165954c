"""Load in virtual time: what the loops of the benchmark send, when, and what they make of the answers."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.speed.load import Reply, Send, arrivals_s, closed_loop, lone_client, open_loop
from benchmarks.speed.pages import PageFile
from benchmarks.speed.statistics import latencies_ms, merge_trials, percentile
from tests.virtual_time import run_virtually

PAGES = [PageFile(f"{number}.png", b"") for number in range(3)]


def server(service_s: float, places: int = 1) -> Send:
    """Reads ``places`` pages at a time, each in ``service_s``."""
    free = asyncio.Semaphore(places)

    async def send(page: PageFile) -> Reply:
        async with free:
            await asyncio.sleep(service_s)
        return Reply(200)

    return send


def test_a_closed_loop_shows_what_the_server_can_do() -> None:
    load = run_virtually(closed_loop(server(0.5, places=2), PAGES, clients=4, seconds=20, warm_s=5))
    figures = load.figures()
    assert figures["pages_s"] == pytest.approx(4.0, abs=0.1)
    assert figures["latency_ms"]["p50"] == 1000.0
    assert {answer.page for answer in load.answers} == {0, 1, 2}


def test_a_closed_loop_waits_for_its_slowest_under_the_same_load() -> None:
    asked_at_s: list[float] = []

    async def sends(page: PageFile) -> Reply:
        asked_at_s.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1.0 if len(asked_at_s) % 20 else 12.0)
        return Reply(200)

    load = run_virtually(closed_loop(sends, PAGES, clients=4, seconds=30))
    figures = load.figures()
    assert figures["requests"] == figures["read"] == sum(asked_s < load.to_s for asked_s in asked_at_s)
    assert figures["latency_ms"]["max"] == 12000.0
    assert any(answer.done_s > load.to_s and answer.latency_s == 12 for answer in load.answers)
    assert max(asked_at_s) > load.to_s


def test_an_open_loop_counts_from_when_a_request_was_due() -> None:
    stalled_s = 10.0

    async def stalls_once(page: PageFile) -> Reply:
        clock = asyncio.get_running_loop()
        await asyncio.sleep(max(stalled_s - clock.time(), 0.0) + 0.01)
        return Reply(200)

    load = run_virtually(open_loop(stalls_once, PAGES, rate_hz=10, seconds=20))
    latencies = sorted(answer.latency_s for answer in load.answers)
    # Half of the requests were due while the server stood still: they waited five seconds on average.
    waiting = [each for each in latencies if each > 0.1]
    assert 70 < len(waiting) < 130
    assert sum(waiting) / len(waiting) == pytest.approx(5.0, rel=0.15)
    assert load.figures()["latency_ms"]["p99"] > 9000


def test_overload_shows_in_refusals_and_their_latency() -> None:
    busy = 0

    async def refuses(page: PageFile) -> Reply:
        nonlocal busy
        if busy >= 2:
            await asyncio.sleep(0.005)
            return Reply(503, retry_after_s=1.0)
        busy += 1
        await asyncio.sleep(1.0)
        busy -= 1
        return Reply(200)

    figures = run_virtually(open_loop(refuses, PAGES, rate_hz=6, seconds=50, warm_s=5)).figures()
    assert figures["pages_s"] == pytest.approx(1.9, abs=0.25)
    assert figures["refused"] > figures["read"] > 0
    assert figures["refusal_ms"]["p99"] == 5.0
    assert (figures["refused_without_retry_after"], figures["failed"]) == (0, 0)


def test_a_client_of_a_closed_loop_comes_again_when_it_was_told_to() -> None:
    async def refuses(page: PageFile) -> Reply:
        await asyncio.sleep(0.001)
        return Reply(503, retry_after_s=2.0)

    load = run_virtually(closed_loop(refuses, PAGES, clients=3, seconds=9))
    assert load.figures()["refused"] == 3 * 5


def test_requests_without_an_answer_are_failures() -> None:
    async def hangs(page: PageFile) -> Reply:
        if page is PAGES[0]:
            raise ConnectionResetError
        await asyncio.sleep(10**6)
        return Reply(200)

    load = run_virtually(open_loop(hangs, PAGES, rate_hz=3, seconds=10, drain_s=5))
    figures = load.figures()
    assert figures["requests"] == figures["failed"] > 10


def test_a_lone_client_must_be_answered() -> None:
    async def refuses(page: PageFile) -> Reply:
        return Reply(503)

    with pytest.raises(RuntimeError, match=r"0\.png was answered 503"):
        run_virtually(lone_client(refuses, PAGES, 1))


def test_arrivals_are_the_same_for_a_seed_and_have_the_rate() -> None:
    times = arrivals_s(100.0, 1100.0, 5.0, seed=3)
    assert times == arrivals_s(100.0, 1100.0, 5.0, seed=3) != arrivals_s(100.0, 1100.0, 5.0, seed=4)
    assert len(times) == pytest.approx(5000, rel=0.05)
    assert times == sorted(times)


def test_percentiles_are_values_that_occurred() -> None:
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0.5, 0.99, 1.0)] == [2.0, 3.0, 3.0]
    assert percentile([], 0.5) == 0.0
    assert latencies_ms([0.001] * 99 + [1.0]) == {"p50": 1.0, "p95": 1.0, "p99": 1.0, "max": 1000.0}


def test_trials_become_medians_with_their_spread() -> None:
    merged = merge_trials([{"a": {"b": 1}, "c": "x"}, {"a": {"b": 5}, "d": 2.0}, {"a": {"b": 2}}])
    assert merged["a"]["b"] == {"median": 2.0, "min": 1.0, "max": 5.0, "values": [1.0, 5.0, 2.0]}
    assert (merged["c"], merged["d"]["median"]) == ("x", 2.0)
