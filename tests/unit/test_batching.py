from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.batching import Batcher, BatchLimits, Step, padding, run_isolated, select
from deployments.errors import DeadlineExceeded, OcrError, StageFailed, StageUnavailable


@dataclass(frozen=True)
class Item:
    name: str
    height: int = 32
    width: int = 100


class Model:
    """Answers each item's name; runs only when the test lets it, and remembers its steps."""

    def __init__(self, gated: bool = False) -> None:
        self.steps: list[list[str]] = []
        self.gate = asyncio.Semaphore(0) if gated else None

    async def run(self, items: Sequence[Item]) -> list[str]:
        self.steps.append([item.name for item in items])
        if self.gate:
            await self.gate.acquire()
        if any(item.name == "poison" for item in items):
            raise ValueError("bad item")
        return [item.name.upper() for item in items]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def limits(**changes: float) -> BatchLimits:
    return BatchLimits.model_validate({"max_items": 8, "max_pixels": 10**6, "linger_ms": 0} | changes)


async def test_items_that_arrive_during_a_step_form_one_next_step() -> None:
    model = Model(gated=True)
    assert model.gate
    batcher = Batcher(model.run, limits())
    calls = [asyncio.create_task(batcher.submit([Item("a")]))]
    await settle()
    calls += [asyncio.create_task(batcher.submit([Item(name)])) for name in "bcd"]
    await settle()
    assert model.steps == [["a"]] and batcher.queued == 3
    model.gate.release()
    model.gate.release()
    assert await asyncio.gather(*calls) == [["A"], ["B"], ["C"], ["D"]]
    assert model.steps == [["a"], ["b", "c", "d"]]


async def test_an_idle_batcher_runs_at_once_and_never_sleeps() -> None:
    async def no_sleep(seconds: float) -> None:
        raise AssertionError("lingered although nothing was on its way")

    batcher = Batcher(Model().run, limits(linger_ms=5), sleep=no_sleep)
    assert await batcher.submit([Item("a")]) == ["A"]
    assert await batcher.submit([Item("b"), Item("c")]) == ["B", "C"]


async def test_a_short_queue_lingers_for_announced_items() -> None:
    model = Model()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await settle()

    batcher = Batcher(model.run, limits(linger_ms=5), sleep=sleep)

    async def prepare_then_submit() -> list[str | OcrError]:
        with batcher.announce():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return await batcher.submit([Item("late")])

    late = asyncio.create_task(prepare_then_submit())
    early = asyncio.create_task(batcher.submit([Item("early")]))
    assert await asyncio.gather(early, late) == [["EARLY"], ["LATE"]]
    assert slept == [0.005] and model.steps == [["early", "late"]]


async def test_poisoned_item_fails_alone() -> None:
    model = Model()
    batcher = Batcher(model.run, limits())
    answers = await batcher.submit([Item("a"), Item("b"), Item("poison"), Item("c")])
    assert answers[:2] == ["A", "B"] and answers[3] == "C"
    assert isinstance(answers[2], StageFailed)
    assert model.steps == [["a", "b", "poison", "c"], ["a", "b"], ["poison", "c"], ["poison"], ["c"]]


async def test_batch_too_large_for_memory_is_halved_until_it_fits() -> None:
    sizes: list[int] = []

    async def run(items: Sequence[Item]) -> list[str]:
        sizes.append(len(items))
        if len(items) > 2:
            raise MemoryError
        return [item.name for item in items]

    batcher = Batcher(run, limits())
    assert await batcher.submit([Item(c) for c in "abcdefgh"]) == list("abcdefgh")
    assert sizes == [8, 4, 2, 2, 4, 2, 2]


async def test_wrong_number_of_outputs_gives_nobody_anothers_answer() -> None:
    async def run(items: Sequence[Item]) -> list[str]:
        return [item.name for item in items if item.name != "lost"]

    answers = await run_isolated(run, [Item("a"), Item("lost"), Item("b")])
    assert answers[0] == "a" and answers[2] == "b"
    assert isinstance(answers[1], StageFailed)


async def test_cancelled_items_never_reach_the_model() -> None:
    model = Model(gated=True)
    assert model.gate
    batcher = Batcher(model.run, limits())
    first = asyncio.create_task(batcher.submit([Item("a")]))
    await settle()
    gone = asyncio.create_task(batcher.submit([Item("gone")]))
    stays = asyncio.create_task(batcher.submit([Item("stays")]))
    await settle()
    gone.cancel()
    await settle()
    assert batcher.queued == 1
    model.gate.release()
    model.gate.release()
    assert await first == ["A"] and await stays == ["STAYS"]
    assert model.steps == [["a"], ["stays"]]


async def test_items_past_their_deadline_never_reach_the_model() -> None:
    model = Model(gated=True)
    assert model.gate
    batcher = Batcher(model.run, limits())
    first = asyncio.create_task(batcher.submit([Item("a")]))
    await settle()
    late = asyncio.create_task(batcher.submit([Item("late"), Item("too")], deadline_s=time.monotonic()))
    timely = asyncio.create_task(batcher.submit([Item("timely")], deadline_s=time.monotonic() + 60))
    await settle()
    model.gate.release()
    model.gate.release()
    assert await first == ["A"] and await timely == ["TIMELY"]
    assert [type(outcome) for outcome in await late] == [DeadlineExceeded, DeadlineExceeded]
    assert model.steps == [["a"], ["timely"]]


async def test_caller_cancelled_during_its_step_leaves_neighbours_alone() -> None:
    model = Model(gated=True)
    assert model.gate
    batcher = Batcher(model.run, limits())
    gone = asyncio.create_task(batcher.submit([Item("gone")]))
    await settle()
    gone.cancel()
    model.gate.release()
    model.gate.release()
    assert await batcher.submit([Item("next")]) == ["NEXT"]


async def test_new_limits_apply_to_the_next_step() -> None:
    model = Model()
    batcher = Batcher(model.run, limits(max_items=2))
    await batcher.submit([Item(c) for c in "abcd"])
    batcher.limits = limits(max_items=4)
    await batcher.submit([Item(c) for c in "efgh"])
    assert [len(step) for step in model.steps] == [2, 2, 4]


async def test_close_answers_running_and_queued_items() -> None:
    batcher = Batcher(Model(gated=True).run, limits())
    calls = [asyncio.create_task(batcher.submit([Item("a")]))]
    await settle()
    calls.append(asyncio.create_task(batcher.submit([Item("b")])))
    await settle()
    await batcher.close()
    for call in calls:
        with pytest.raises(StageUnavailable):
            await call
    with pytest.raises(StageUnavailable):
        await batcher.submit([Item("c")])
    assert not batcher.alive


async def test_step_is_observed_with_its_padding() -> None:
    steps: list[Step] = []
    batcher = Batcher(Model().run, limits(max_padding=0.5), observe=steps.append)
    await batcher.submit([Item("a", width=100), Item("b", width=50)])
    (step,) = steps
    assert step.items == 2 and step.padding == pytest.approx(0.25)
    assert batcher.step_age_s == 0


def test_select_takes_the_oldest_and_its_likes() -> None:
    widths = [200, 800, 210, 400, 190, 205]
    items = [Item(str(width), width=width) for width in widths]
    chosen = select(items, limits(max_items=4, max_padding=0.1))
    assert [items[i].width for i in chosen] == [200, 205, 210, 190]


def test_select_runs_an_item_over_the_limit_alone() -> None:
    items = [Item("big", height=2000, width=2000), Item("small")]
    assert select(items, limits(max_pixels=1000)) == [0]


def test_padding_of_equal_items_is_nothing() -> None:
    assert padding([Item("a"), Item("b")]) == 0


@given(
    widths=st.lists(st.integers(1, 3000), min_size=1, max_size=60),
    max_items=st.integers(1, 32),
    max_pixels=st.integers(1, 500_000),
    max_padding=st.floats(0, 0.99),
)
def test_select_keeps_every_limit(
    widths: list[int], max_items: int, max_pixels: int, max_padding: float
) -> None:
    items = [Item("", width=width) for width in widths]
    bounds = BatchLimits(max_items=max_items, max_pixels=max_pixels, max_padding=max_padding)
    chosen = [items[i] for i in select(items, bounds)]
    assert chosen[0] is items[0] and len(chosen) <= max_items
    if len(chosen) > 1:
        assert len(chosen) * 32 * max(item.width for item in chosen) <= max_pixels
        assert padding(chosen) <= max_padding + 1e-9


async def test_the_age_of_a_step_is_that_of_what_the_model_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight items of which one is poisoned run seven times: none of those hangs."""
    now_s, ages_s = 100.0, list[float]()
    monkeypatch.setattr("deployments.batching.time", SimpleNamespace(monotonic=lambda: now_s))

    async def run(items: Sequence[Item]) -> list[str]:
        nonlocal now_s
        now_s += 10.0
        ages_s.append(batcher.step_age_s)
        if any(item.name == "poison" for item in items):
            raise ValueError("bad item")
        return [item.name for item in items]

    steps = list[Step]()
    batcher = Batcher(run, limits(), steps.append)
    await batcher.submit([*(Item(name) for name in "abcdefg"), Item("poison")])
    assert ages_s == [10.0] * 7 and batcher.step_age_s == 0
    assert [step.run_s for step in steps] == [70.0]
    await batcher.close()
