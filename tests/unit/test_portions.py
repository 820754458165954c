"""Portions: what a page of many lines does to the health of a replica, and to whoever comes after it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

from deployments.errors import DeadlineExceeded, Outcome
from deployments.portions import PORTION_ITEMS, THREADS, Portions


class Gate:
    """A list step that lets one portion pass at a time, and keeps what it was given."""

    def __init__(self) -> None:
        self.portions: list[list[int]] = []
        self.passes = threading.Semaphore(0)

    def __call__(self, values: Sequence[int]) -> list[Outcome[int]]:
        self.portions.append(list(values))
        self.passes.acquire()
        return [value + 1 for value in values]


async def begun(gate: Gate, portions: int) -> None:
    while len(gate.portions) < portions:
        await asyncio.sleep(0)


async def test_answers_come_in_order_however_many_portions_they_take() -> None:
    portions, gate = Portions(), Gate()
    gate.passes.release(3)
    values = list(range(2 * PORTION_ITEMS + 1))
    assert await portions.run(gate, values) == [value + 1 for value in values]
    assert [len(portion) for portion in gate.portions] == [PORTION_ITEMS, PORTION_ITEMS, 1]
    assert await portions.run(gate, []) == []
    portions.close()


async def test_the_age_is_that_of_a_portion_and_not_of_the_page() -> None:
    portions, gate = Portions(), Gate()
    assert portions.age_s == 0
    call = asyncio.create_task(portions.run(gate, range(2 * PORTION_ITEMS)))
    await begun(gate, 1)
    first_s = time.monotonic()
    gate.passes.release()
    await begun(gate, 2)
    # Whatever time it was begun at, that was after the first was over.
    assert portions.age_s <= time.monotonic() - first_s
    gate.passes.release()
    await call
    assert portions.age_s == 0
    portions.close()


async def test_a_call_that_was_cancelled_keeps_no_thread_longer_than_its_portion() -> None:
    portions, gate = Portions(), Gate()
    calls = [asyncio.create_task(portions.run(gate, range(100 * PORTION_ITEMS))) for _ in range(THREADS)]
    await begun(gate, THREADS)
    for call in calls:
        call.cancel()
    gate.passes.release(THREADS + 1)
    assert await portions.run(gate, [7]) == [8]
    assert len(gate.portions) == THREADS + 1
    portions.close()


async def test_what_has_not_begun_by_the_deadline_is_too_late() -> None:
    portions, gate = Portions(), Gate()
    deadline_s = time.monotonic() + 3600
    gate.passes.release(2)
    assert await portions.run(gate, [1], deadline_s) == [2]
    late = await portions.run(gate, range(PORTION_ITEMS + 1), time.monotonic())
    assert len(late) == PORTION_ITEMS + 1 and all(isinstance(each, DeadlineExceeded) for each in late)
    assert gate.portions == [[1]]
    portions.close()


async def test_an_item_that_fails_harms_no_other_of_its_portion() -> None:
    def divide(values: Sequence[int]) -> list[Outcome[int]]:
        return [6 // value for value in values]

    portions = Portions()
    two, failed, three = await portions.run(divide, [3, 0, 2])
    assert (two, three) == (2, 3) and failed.code == "stage_failed"  # type: ignore[union-attr]
    portions.close()
