from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from deployments.batching import Step
from deployments.engine import Prepared
from deployments.errors import DeadlineExceeded, OcrError, StageFailed, StageUnavailable, UnreadableDocument
from deployments.fakes import FakeBehaviour, FakeDetector, FakeRecogniser, Fault, draw_page
from deployments.settings import StageTuning
from deployments.shared_images import NotShared, SharedBuffers
from deployments.stage import BROKEN_PAUSE_S, Stage, StageStatus, Unobserved
from deployments.types import Image, PageLines, Reading
from deployments.workload import DONE_PIXELS, PENDING_PIXELS, PIXELS_PER_S


class Tuning(StageTuning):
    confidence: float = 0.0


def reader(engine: FakeRecogniser | None = None, steps: list[Step] | None = None) -> Stage[Image, Reading]:
    return Stage(engine or FakeRecogniser(), Tuning, Noting([] if steps is None else steps))


class Noting(Unobserved):
    """Keeps the steps and the answers."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.answered: list[object] = []

    def step(self, step: Step) -> None:
        self.steps.append(step)

    def answers(self, outcomes: Sequence[object]) -> None:
        self.answered += outcomes


def texts(outcomes: Sequence[Reading | OcrError]) -> list[str | None]:
    return [outcome.text if isinstance(outcome, Reading) else None for outcome in outcomes]


async def test_calls_at_the_same_time_share_a_step_and_get_their_own_answers() -> None:
    steps: list[Step] = []
    stage = reader(steps=steps)
    calls = [stage([draw_page([n])]) for n in range(8)]
    answers = await asyncio.gather(*calls)
    assert [texts(answer) for answer in answers] == [[str(n)] for n in range(8)]
    assert sum(step.items for step in steps) == 8 and len(steps) < 8
    assert stage.status() == StageStatus("fake", queued=0, steps=len(steps), items=8)
    await stage.close()


async def test_items_in_shared_memory_are_read_there() -> None:
    stage = reader()
    with SharedBuffers().lend([draw_page([n]) for n in (3, 4)]) as shared:
        assert texts(await stage(shared)) == ["3", "4"]
        with pytest.raises(NotShared):
            await stage(replace(shared, token=bytes(16)))
    await stage.close()


async def test_bad_and_poisoned_items_fail_alone() -> None:
    stage = reader(FakeRecogniser(FakeBehaviour(faults={13: "raises"})))
    empty = np.zeros((0, 10, 3), np.uint8)
    answers = await stage([draw_page([1]), empty, draw_page([13]), draw_page([2])])
    assert texts(answers) == ["1", None, None, "2"]
    assert isinstance(answers[1], UnreadableDocument) and isinstance(answers[2], StageFailed)
    assert pickle.loads(pickle.dumps(answers[2])).public == "The model failed on this item"
    await stage.close()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("raises", None), ("too few", None), ("nan", None), ("out of memory", "13")],
)
async def test_a_model_gone_wrong_harms_no_neighbour(fault: Fault, expected: str | None) -> None:
    stage = reader(FakeRecogniser(FakeBehaviour(faults={13: fault})))
    answers = await stage([draw_page([number]) for number in (1, 13, 2)])
    assert texts(answers) == ["1", expected, "2"]
    assert expected or isinstance(answers[1], StageFailed)
    await stage.close()


async def test_engine_that_raises_in_prepare_or_loses_answers_harms_one_item() -> None:
    class Faulty(FakeRecogniser):
        def prepare(self, items: Sequence[Image]) -> list[OcrError | Prepared[Image]]:
            if any(item.shape[1] == 13 for item in items):
                raise ZeroDivisionError
            return super().prepare(items)

        def finish(self, raw: Sequence[Reading]) -> list[OcrError | Reading]:
            return [reading for reading in raw if reading.text != "7"]

    stage = reader(Faulty())
    answers = await stage([draw_page([1]), draw_page([2])[:, :13], draw_page([7]), draw_page([3])])
    assert texts(answers) == ["1", None, None, "3"]
    await stage.close()


async def test_items_whose_time_is_over_are_not_read() -> None:
    steps: list[Step] = []
    stage = reader(steps=steps)
    assert [type(answer) for answer in await stage([draw_page([1])], budget_s=-0.5)] == [DeadlineExceeded]
    assert texts(await stage([draw_page([2])], budget_s=60)) == ["2"]
    assert [step.items for step in steps] == [1]
    await stage.close()


async def test_empty_call_is_answered_empty() -> None:
    stage = reader()
    assert await stage([]) == []
    await stage.close()


async def test_reconfigure_changes_threshold_and_batch_without_restart() -> None:
    detector = FakeDetector()
    stage: Stage[Image, PageLines] = Stage(detector, Tuning)
    (page,) = await stage([draw_page([2**20 - 1, 0])])
    assert isinstance(page, PageLines) and len(page.lines) == 2
    stage.reconfigure({"confidence": 0.9, "batch": {"max_items": 3}})
    (page,) = await stage([draw_page([2**20 - 1, 0])])
    assert isinstance(page, PageLines) and len(page.lines) == 1
    assert stage._batcher.limits.max_items == 3
    await stage.close()


async def test_wrong_tuning_is_refused_and_the_old_stays() -> None:
    stage = reader()
    with pytest.raises(ValidationError, match="confidense"):
        stage.reconfigure({"confidense": 0.9})
    assert texts(await stage([draw_page([4])])) == ["4"]
    await stage.close()


async def test_health_fails_while_the_model_hangs_and_after_the_batcher_died() -> None:
    release = threading.Event()
    entered = threading.Event()

    class Hanging(FakeRecogniser):
        def forward(self, batch: Sequence[Prepared[Image]]) -> list[Reading]:
            entered.set()
            release.wait()
            return super().forward(batch)

    stage = reader(Hanging())
    stage.check_health()
    call = asyncio.create_task(stage([draw_page([1])]))
    while not entered.is_set():
        await asyncio.sleep(0)
    stage.reconfigure({"max_step_s": 1e-9})
    with pytest.raises(RuntimeError, match="has been running"):
        stage.check_health()
    release.set()
    assert texts(await call) == ["1"]
    stage.check_health()
    await stage.close()
    with pytest.raises(RuntimeError, match="batcher"):
        stage.check_health()


async def test_a_model_that_fails_on_everything_is_unhealthy_and_reports_no_work() -> None:
    """As a device does whose context is lost: it fails at once, and for good."""

    class Lost(FakeRecogniser):
        lost = False

        def forward(self, batch: Sequence[Prepared[Image]]) -> list[Reading]:
            if self.lost:
                raise RuntimeError("an illegal memory access was encountered")
            return super().forward(batch)

    engine = Lost()
    stage = reader(engine)
    assert texts(await stage([draw_page([1])])) == ["1"]
    worked = stage.record_autoscaling_stats()
    engine.lost = True
    for number in range(3):
        stage.check_health()
        (outcome,) = await stage([draw_page([number])])
        assert isinstance(outcome, StageFailed)
    await asyncio.wait_for(unhealthy(stage), 60)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        stage.check_health()
    assert stage.record_autoscaling_stats() == worked
    await stage.close()


async def test_a_broken_model_asks_to_come_back_and_does_not_look_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another replica can read what it fails on: no line may stay empty for it, no traffic be drawn."""

    class Broken(FakeRecogniser):
        def forward(self, batch: Sequence[Prepared[Image]]) -> list[Reading]:
            raise RuntimeError("an illegal memory access was encountered")

    pauses_s = list[float]()

    async def pause(seconds: float) -> None:
        pauses_s.append(seconds)

    stage = reader(Broken())
    for number in range(3):
        await stage([draw_page([number])])
    await asyncio.wait_for(unhealthy(stage), 60)
    monkeypatch.setattr("deployments.stage.asyncio.sleep", pause)
    for budget_s in (None, 60.0, 0.5):
        with pytest.raises(StageUnavailable) as raised:
            await stage([draw_page([1])], budget_s)
        assert raised.value.retry_after_s >= 1
    assert pauses_s == [BROKEN_PAUSE_S, BROKEN_PAUSE_S, 0.5]
    await stage.close()


async def test_items_that_a_model_fails_while_it_is_found_broken_are_no_failures_of_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage: Any = reader(FakeRecogniser(FakeBehaviour(faults={7: "raises"})))
    monkeypatch.setattr("deployments.stage.BROKEN_PAUSE_S", 0.0)
    submit = stage._batcher.submit

    async def submit_meanwhile(*args: Any) -> Any:
        raw = await submit(*args)
        stage._doubt.broken = "lost"
        return raw

    monkeypatch.setattr(stage._batcher, "submit", submit_meanwhile)
    with pytest.raises(StageUnavailable):
        await stage([draw_page([7])])
    stage._doubt.broken = ""
    assert texts(await stage([draw_page([8])])) == ["8"]
    await stage.close()


async def unhealthy(stage: Stage[Image, Reading]) -> None:
    while True:
        try:
            stage.check_health()
        except RuntimeError:
            return
        await asyncio.sleep(0)


async def test_pages_that_are_made_to_fail_make_no_replica_unhealthy() -> None:
    tried = asyncio.Event()

    class Tried(FakeRecogniser):
        def forward(self, batch: Sequence[Prepared[Image]]) -> list[Reading]:
            readings = super().forward(batch)
            loop.call_soon_threadsafe(tried.set)
            return readings

    loop = asyncio.get_running_loop()
    stage = reader(Tried(FakeBehaviour(faults={7: "raises"})))
    for _ in range(3):
        (outcome,) = await stage([draw_page([7])])
        assert isinstance(outcome, StageFailed)
    # It was tried on a blank image, and read it.
    await asyncio.wait_for(tried.wait(), 60)
    for _ in range(3):
        await stage([draw_page([7])])
    stage.check_health()
    assert texts(await stage([draw_page([8])])) == ["8"]
    await stage.close()


@pytest.mark.parametrize("step", ["prepare", "finish"])
async def test_health_fails_while_preparing_or_finishing_hangs(step: str) -> None:
    release, entered = threading.Event(), threading.Event()
    engine = FakeRecogniser()
    real = getattr(engine, step)

    def hang(items: Sequence[object]) -> object:
        entered.set()
        release.wait()
        return real(items)

    stage = reader(engine)
    setattr(engine, step, hang)
    call = asyncio.create_task(stage([draw_page([1])]))
    while not entered.is_set():
        await asyncio.sleep(0)
    stage.check_health()
    stage.reconfigure({"max_step_s": 1e-9})
    try:
        with pytest.raises(RuntimeError, match="preparing or finishing has been running"):
            stage.check_health()
    finally:
        release.set()
    assert texts(await call) == ["1"]
    stage.check_health()
    await stage.close()


async def test_work_is_reported_for_autoscaling() -> None:
    release, entered = threading.Event(), threading.Event()

    class Gated(FakeRecogniser):
        def forward(self, batch: Sequence[Prepared[Image]]) -> list[Reading]:
            entered.set()
            release.wait()
            return super().forward(batch)

    stage = reader(Gated())
    stage.reconfigure({"batch": {"max_items": 2}})
    assert stage.record_autoscaling_stats() == {PENDING_PIXELS: 0, DONE_PIXELS: 0, PIXELS_PER_S: 0}
    pages = [draw_page([n], width_px=200 + 40 * n) for n in range(5)]
    call = asyncio.create_task(stage(pages))
    while not entered.is_set():
        await asyncio.sleep(0)
    pixels = sum(page.shape[0] * page.shape[1] for page in pages)
    assert stage.record_autoscaling_stats()[PENDING_PIXELS] == pixels, "those in the model count as well"
    release.set()
    assert len(await call) == 5
    done = stage.record_autoscaling_stats()
    assert (done[PENDING_PIXELS], done[DONE_PIXELS]) == (0, pixels)
    assert done[PIXELS_PER_S] > 0
    await stage.close()
