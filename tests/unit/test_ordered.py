from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from serve_app.ordered import map_in_order


async def count(number: int, failure: Exception | None = None) -> AsyncGenerator[int]:
    for item in range(number):
        yield item
    if failure is not None:
        raise failure


async def test_results_come_in_order_whatever_order_they_are_done_in() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def work(index: int, item: int) -> str:
        await gates[index].wait()
        return f"{index}:{item}"

    async with aclosing(map_in_order(count(3), work, 3)) as results:
        first = asyncio.ensure_future(anext(results))
        for gate in reversed(gates):
            assert not first.done()
            gate.set()
            await asyncio.sleep(0)
        assert [await first, *[result async for result in results]] == ["0:0", "1:1", "2:2"]


async def test_no_more_items_are_held_than_the_limit() -> None:
    held = most = 0

    async def items() -> AsyncGenerator[int]:
        nonlocal held, most
        for item in range(20):
            held += 1
            most = max(most, held)
            yield item

    full = asyncio.Event()

    async def work(index: int, item: int) -> int:
        if index == 3:
            full.set()
        await full.wait()
        return item

    async for _ in map_in_order(items(), work, 4):
        held -= 1
    assert most == 4


async def test_an_error_of_the_items_comes_after_the_results_before_it() -> None:
    async def work(index: int, item: int) -> int:
        await asyncio.sleep(0)
        return item

    seen = []
    with pytest.raises(ValueError, match="third"):
        async for result in map_in_order(count(2, ValueError("third")), work, 4):
            seen.append(result)
    assert seen == [0, 1]


async def test_an_error_of_the_work_withdraws_the_rest() -> None:
    withdrawn = []

    async def work(index: int, item: int) -> int:
        if index == 0:
            raise ValueError("first")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            withdrawn.append(index)
            raise
        raise AssertionError

    gate = asyncio.Event()

    async def slow_first(index: int, item: int) -> int:
        if index == 0:
            await gate.wait()
        if index == 2:
            gate.set()
        return await work(index, item)

    with pytest.raises(ValueError, match="first"):
        async for _ in map_in_order(count(9), slow_first, 3):
            pass
    assert withdrawn == [1, 2]
