"""Documents let in, made to wait and refused, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from deployments.errors import Overloaded
from serve_app.observer import Unobserved
from serve_app.turns import Turns
from tests.api_client import PNG, client_of, untouchable
from tests.readers import InkReader


@dataclass(frozen=True)
class Limits:
    max_documents_in_work: int = 2
    max_wait_share: float = 0.5


class World(Unobserved):
    """A clock, and what was told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.told: list[tuple[int, int]] = []
        self.waited_s: list[float] = []
        self.refused = 0

    def turns_of(self, limits: Limits | None = None) -> Turns:
        return Turns(limits or Limits(), self, lambda: self.now_s)

    def turns(self, in_work: int, waiting: int) -> None:
        self.told.append((in_work, waiting))

    def turn_taken(self, waited_s: float) -> None:
        self.waited_s.append(waited_s)

    def document_refused(self) -> None:
        self.refused += 1


@pytest.fixture
def world() -> World:
    return World()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def fill(turns: Turns, number: int, left_s: float | None = 60.0) -> list[Callable[[], None]]:
    return [await turns.take(left_s) for _ in range(number)]


async def queue(
    turns: Turns, number: int, left_s: float | None = 60.0
) -> list[asyncio.Task[Callable[[], None]]]:
    tasks = [asyncio.ensure_future(turns.take(left_s)) for _ in range(number)]
    await settle()
    return tasks


async def test_as_many_as_there_are_places_are_let_in_at_once_and_others_in_order(world: World) -> None:
    turns = world.turns_of()
    leave, _ = await fill(turns, 2)
    first, second = await queue(turns, 2)
    assert turns.waiting == 2
    leave()
    await settle()
    assert (first.done(), second.done(), turns.waiting) == (True, False, 1)
    first.result()()
    await settle()
    assert second.done()


async def test_a_place_left_by_the_last_is_free_again(world: World) -> None:
    turns = world.turns_of()
    for leave in await fill(turns, 2):
        leave()
    await asyncio.wait_for(fill(turns, 2), 120)


async def test_who_would_wait_for_too_much_of_its_deadline_is_refused_at_once(world: World) -> None:
    turns = world.turns_of()
    leave, other = await fill(turns, 2)
    world.now_s = 10.0
    leave()
    other()
    await fill(turns, 2)
    # One document takes 10 s and two are read at a time: the n-th to wait, 5 n seconds.
    await queue(turns, 6)
    assert turns.expected_wait_s == 35.0
    with pytest.raises(Overloaded) as refused:
        await turns.take(60.0)
    assert refused.value.retry_after_s == 5
    assert "6 documents" in refused.value.public
    assert turns.waiting == 6


async def test_the_deadline_is_that_of_the_request(world: World) -> None:
    turns = world.turns_of()
    (leave,) = await fill(turns, 1)
    world.now_s = 10.0
    leave()
    await fill(turns, 2)
    with pytest.raises(Overloaded):
        await turns.take(8.0)
    assert len(await queue(turns, 4, left_s=60.0)) == turns.waiting == 4


async def test_a_document_without_a_deadline_neither_waits_nor_counts(world: World) -> None:
    turns = world.turns_of()
    for leave in await asyncio.wait_for(fill(turns, 5, left_s=None), 120):
        world.now_s += 100.0
        leave()
    (leave,) = await fill(turns, 1)
    world.now_s += 1.0
    leave()
    await fill(turns, 2)
    assert turns.expected_wait_s == 0.5


async def test_nobody_is_refused_before_it_is_known_what_a_document_takes(world: World) -> None:
    turns = world.turns_of()
    await fill(turns, 2, left_s=0.001)
    await queue(turns, 50, left_s=0.001)
    assert turns.waiting == 50


async def test_who_gives_up_waiting_leaves_its_place_to_the_next(world: World) -> None:
    turns = world.turns_of()
    leave, _ = await fill(turns, 2)
    gone, next_one = await queue(turns, 2)
    gone.cancel()
    await settle()
    assert turns.waiting == 1
    leave()
    await settle()
    assert next_one.done()


async def test_a_turn_given_to_somebody_who_gives_up_is_passed_on(world: World) -> None:
    turns = world.turns_of()
    leave, _ = await fill(turns, 2)
    gone, next_one = await queue(turns, 2)
    leave()
    gone.cancel()
    await settle()
    assert gone.cancelled()
    assert next_one.done()


async def test_a_turn_is_not_given_to_somebody_who_is_giving_up(world: World) -> None:
    turns = world.turns_of()
    leave, other = await fill(turns, 2)
    gone, next_one = await queue(turns, 2)
    gone.cancel()  # it has not run since, and stands in the queue still
    leave()
    await settle()
    assert gone.cancelled()
    assert next_one.done()
    next_one.result()()
    other()
    assert len(await fill(turns, 2)) == 2


async def test_what_a_document_takes_follows_the_newest(world: World) -> None:
    turns = world.turns_of(Limits(max_documents_in_work=1))
    for spent_s in [1.0] * 3 + [9.0] * 30:
        (leave,) = await fill(turns, 1)
        world.now_s += spent_s
        leave()
    await fill(turns, 1)
    assert turns.expected_wait_s == pytest.approx(9.0, rel=0.05)


async def test_a_place_is_taken_while_a_busy_event_loop_has_not_come_to_its_document(world: World) -> None:
    turns = world.turns_of(Limits(max_documents_in_work=1))
    (leave,) = await fill(turns, 1)
    (waiting,) = await queue(turns, 1)
    world.now_s = 2.0
    leave()
    world.now_s = 4.0
    await settle()
    waiting.result()()
    # Two seconds in work, two until the next was begun, none for that: a document takes two all the same.
    await fill(turns, 1)
    assert turns.expected_wait_s == pytest.approx(2.0)


async def test_the_observer_is_told_of_turns_waits_and_refusals(world: World) -> None:
    turns = world.turns_of()
    leave, other = await fill(turns, 2)
    (waiting,) = await queue(turns, 1)
    assert world.told[-1] == (2, 1)
    world.now_s = 10.0
    leave()
    await settle()
    assert (world.told[-1], world.waited_s) == ((2, 0), [0.0, 0.0, 10.0])
    with pytest.raises(Overloaded):
        await turns.take(1.0)
    assert world.refused == 1
    (gone,) = await queue(turns, 1)
    gone.cancel()
    await settle()
    assert world.told[-1] == (2, 0)
    waiting.result()()
    other()
    assert world.told[-1] == (0, 0)


async def test_over_http_it_is_503_with_the_time_to_come_again() -> None:
    reader = InkReader()
    async with client_of(reader, max_documents_in_work=1, max_wait_share=1e-9) as client:
        assert (await client.post("/ocr", content=PNG)).status_code == 200
        reader.gate = asyncio.Event()
        in_work = asyncio.ensure_future(client.post("/ocr", content=PNG))
        await asyncio.wait_for(settled(lambda: len(reader.calls) == 2), 120)
        refused = await client.post("/ocr", content=PNG)
        streamed = await client.post("/ocr?format=ndjson", content=PNG)
        unread = [(await client.post(path, content=untouchable())).status_code for path in ("/ocr", "/api/")]
        reader.gate.set()
        assert (await in_work).status_code == 200
        assert (await client.post("/ocr", content=PNG)).status_code == 200
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["type"].endswith("overloaded")
    assert streamed.status_code == 503
    assert unread == [503, 503]


async def settled(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)
