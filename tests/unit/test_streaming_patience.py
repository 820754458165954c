"""How long a client that takes JSON lines slowly is waited for, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from serve_app.streaming import LEAST_BYTES_PER_S, MAX_SEND_S, LinesResponse
from tests.virtual_time import run_virtually

LINE = b"x" * 1000


def taken(number: int, line: bytes, each_s: float) -> tuple[int, bool]:
    """How many lines a client takes that needs so long for each, and whether it gets the answer's end."""
    sent: list[Any] = []

    async def lines() -> AsyncGenerator[bytes]:
        for _ in range(number):
            yield line

    async def send(message: Any) -> None:
        await asyncio.sleep(each_s if message.get("body") else 0)
        sent.append(message)

    scope = {"type": "http", "state": {"request_id": "r"}}
    run_virtually(LinesResponse(lines(), "application/x-ndjson")(scope, asyncio.Event().wait, send))
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    return sum(bool(message["body"]) for message in bodies), not bodies[-1]["more_body"]


def test_a_client_that_takes_nothing_is_given_up() -> None:
    assert taken(3, LINE, each_s=MAX_SEND_S - 1) == (1, False)
    assert taken(1, LINE, each_s=MAX_SEND_S - 1) == (1, True)


def test_a_client_that_takes_too_little_is_given_up() -> None:
    """Each line within its time, and yet all of them would take for ever."""
    assert taken(500, LINE, each_s=10.0) == (6, False)


@pytest.mark.parametrize("slower", [1.0, 1.1])
def test_a_slow_connection_is_waited_for_down_to_the_least_rate(slower: float) -> None:
    """One that is a tenth too slow uses up its minute after ten of them."""
    each_s = slower * len(LINE) / LEAST_BYTES_PER_S
    number = int(12 * 60 * LEAST_BYTES_PER_S / len(LINE))
    assert taken(number, LINE, each_s)[1] == (slower == 1.0)
