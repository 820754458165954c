from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.api import create_api
from serve_app.faults import RequestIds
from serve_app.keys import entry, new_key
from serve_app.middleware.authentication import Authentication
from serve_app.middleware.buckets import Buckets
from serve_app.middleware.config import Access, KeySource, Rate, RateLimits
from serve_app.middleware.rate_limits import RateLimiting, client_address
from tests.api_client import PNG, Config, assert_problem
from tests.readers import InkReader

ONE_A_SECOND = Rate(requests_per_minute=60, burst=3)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_admitted_and_then_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    verdicts = [buckets.take("a", ONE_A_SECOND) for _ in range(4)]
    assert [verdict.admitted for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert verdicts[-1].retry_after_s == pytest.approx(1)
    assert verdicts[-1].full_after_s == pytest.approx(3)
    clock.now_s += 1
    assert [buckets.take("a", ONE_A_SECOND).admitted for _ in range(2)] == [True, False]


def test_callers_do_not_share_a_bucket_and_refusals_cost_nothing() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    for _ in range(50):
        buckets.take("greedy", ONE_A_SECOND)
    assert buckets.take("modest", ONE_A_SECOND).admitted
    clock.now_s += 3
    assert buckets.take("greedy", ONE_A_SECOND).remaining == 2


@given(
    pauses_s=st.lists(st.floats(0, 5), min_size=1, max_size=60),
    per_minute=st.floats(0.5, 600),
    burst=st.integers(1, 5),
)
def test_no_span_of_time_admits_more_than_burst_and_rate(
    pauses_s: list[float], per_minute: float, burst: int
) -> None:
    clock, rate = Clock(), Rate(requests_per_minute=per_minute, burst=burst)
    buckets, admitted_s = Buckets(clock), []
    for pause_s in pauses_s:
        clock.now_s += pause_s
        verdict = buckets.take("a", rate)
        assert 0 <= verdict.remaining < burst
        assert verdict.admitted or verdict.retry_after_s > 0
        if verdict.admitted:
            admitted_s.append(clock.now_s)
    for first in range(len(admitted_s)):
        for last in range(first, len(admitted_s)):
            span_s = admitted_s[last] - admitted_s[first]
            assert last - first + 1 <= burst + span_s * per_minute / 60 + 1e-6


def test_full_buckets_are_forgotten() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    for number in range(5000):
        clock.now_s += 0.1
        buckets.take(f"caller {number}", ONE_A_SECOND)
    assert len(buckets) <= 1024


def limited(limits: RateLimits, clock: Clock, **layers: Any) -> httpx.AsyncClient:
    """The API without limits of its own, and around it the middleware on a clock of ours."""
    api = create_api(InkReader(), Config())
    app: Any = RateLimiting(api, limits, Buckets(clock))
    app = RequestIds(Authentication(app, layers["keys"]) if "keys" in layers else app)

    async def outermost(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "app": api}, receive, send)

    transport = httpx.ASGITransport(outermost, client=("192.0.2.1", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


class Keys:
    def owner(self, key: str) -> str | None:
        return key if key in ("alice", "bob") else None


async def test_too_many_requests_are_a_problem_that_says_when_to_come_back() -> None:
    clock = Clock()
    async with limited(RateLimits(requests_per_minute=6, burst=2), clock) as client:
        first = await client.post("/ocr", content=PNG)
        assert first.status_code == 200
        assert first.headers["ratelimit-policy"] == '"requests";q=2;w=20'
        assert first.headers["ratelimit"] == '"requests";r=1;t=10'
        assert (await client.post("/ocr", content=b"text")).status_code == 415
        refused = await client.post("/ocr", content=PNG)
        assert_problem(refused, 429, "rate_limited")
        assert refused.headers["retry-after"] == "10"
        assert refused.headers["ratelimit"] == '"requests";r=0;t=20'
        assert (await client.get("/healthz")).status_code == 200
        clock.now_s += 10
        assert (await client.post("/ocr", content=PNG)).status_code == 200


async def test_each_key_has_its_own_rate() -> None:
    limits = RateLimits(requests_per_minute=1, burst=1, by_key={"bob": Rate(requests_per_minute=1, burst=3)})
    async with limited(limits, Clock(), keys=Keys()) as client:
        statuses = {
            name: [(await client.post("/ocr", content=PNG, headers={"X-API-Key": name})).status_code
                   for _ in range(4)]
            for name in ("alice", "bob")
        }  # fmt: skip
    assert statuses == {"alice": [200, 429, 429, 429], "bob": [200, 200, 200, 429]}


async def test_a_rate_of_one_key_leaves_the_others_free() -> None:
    limits = RateLimits(by_key={"bob": Rate(requests_per_minute=1, burst=1)})
    async with limited(limits, Clock(), keys=Keys()) as client:
        for _ in range(3):
            answer = await client.post("/ocr", content=PNG, headers={"X-API-Key": "alice"})
            assert answer.status_code == 200 and "ratelimit" not in answer.headers


async def test_limits_in_the_configuration_are_installed() -> None:
    key = new_key()
    source = KeySource(environment="OCR_KEYS")
    limits = RateLimits(requests_per_minute=1, burst=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCR_KEYS", entry("alice", key))
        app = create_api(InkReader(), Config(access=Access(keys=source, rate_limits=limits)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        headers = {"X-API-Key": key}
        assert (await client.post("/ocr", content=PNG, headers=headers)).status_code == 200
        assert_problem(await client.post("/ocr", content=PNG, headers=headers), 429, "rate_limited")
        assert (await client.post("/ocr", content=PNG)).status_code == 401


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [("192.0.2.7", "", 0, "192.0.2.7"), ("192.0.2.7", "198.51.100.1", 0, "192.0.2.7"),
     ("192.0.2.7", "198.51.100.1", 1, "198.51.100.1"), ("192.0.2.7", "", 1, "192.0.2.7"),
     ("10.0.0.1", "203.0.113.9, 198.51.100.1", 1, "198.51.100.1"),
     ("10.0.0.1", "9.9.9.9, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
     ("10.0.0.1", "198.51.100.1", 3, "198.51.100.1"),
     ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "", 0, "192.0.2.7"),
     ("10.0.0.1", "198.51.100.1:51234", 1, "198.51.100.1"),
     ("10.0.0.1", "[2001:db8:1:2:3:4:5:6]:443", 1, "2001:db8:1:2::/64"),
     ("10.0.0.1", "[2001:db8:1:2:3:4:5:6]", 1, "2001:db8:1:2::/64"),
     ("10.0.0.1", "999.1.1.1:80", 1, "999.1.1.1:80"),
     ("10.0.0.1", "unknown", 1, "unknown"), ("10.0.0.1", "x" * 5000, 1, "x" * 64)],
)  # fmt: skip
def test_client_addresses(peer: str, forwarded: str, trusted: int, expected: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert client_address({"client": (peer, 1), "headers": headers}, trusted) == expected


def test_a_server_that_knows_no_address_is_one_caller() -> None:
    assert client_address({"headers": []}, 0) == "unknown"
