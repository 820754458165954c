from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from serve_app.events import Events


async def test_events_stand_before_the_result_that_follows_them() -> None:
    events = Events[str]()

    async def results() -> AsyncIterator[int]:
        for number in (1, 2):
            events(f"begun {number}")
            await asyncio.sleep(0)
            events(f"done {number}")
            yield number

    told = [item async for item in events.among(results())]
    assert told == ["begun 1", "done 1", 1, "begun 2", "done 2", 2]


async def test_an_event_is_told_while_the_result_is_awaited() -> None:
    events = Events[str]()
    gate = asyncio.Event()

    async def results() -> AsyncIterator[int]:
        events("begun")
        await gate.wait()
        yield 1

    async with aclosing(events.among(results())) as told:
        assert await anext(told) == "begun"
        gate.set()
        assert await anext(told) == 1


async def test_an_error_comes_after_the_events_before_it() -> None:
    events = Events[str]()

    async def results() -> AsyncIterator[int]:
        events("begun")
        raise ValueError("lost")
        yield

    told = []
    with pytest.raises(ValueError, match="lost"):
        async for item in events.among(results()):
            told.append(item)
    assert told == ["begun"]


async def test_closing_withdraws_the_wait_for_the_next_result() -> None:
    events = Events[str]()
    withdrawn = asyncio.Event()

    async def results() -> AsyncIterator[int]:
        try:
            events("begun")
            await asyncio.Event().wait()
            yield 1
        finally:
            withdrawn.set()

    async with aclosing(events.among(results())) as told:
        assert await anext(told) == "begun"
    assert withdrawn.is_set()
