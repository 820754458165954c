"""The translation between Serve's handles and our pipeline; needs Ray's classes, not a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from copy import copy
from typing import Any

import grpc
import numpy as np
import pytest
from ray.exceptions import ActorDiedError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments.errors import Overloaded, StageFailed, StageUnavailable, UnreadableDocument
from deployments.shared_images import NotShared, SharedImages, received
from serve_app.deadline import deadline
from serve_app.ingress import StageClient
from tests.memory_files import files_held


class Response(Awaitable[Any]):
    """A response that answers, raises, or waits for ever; remembers its cancellation."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.cancelled = False

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer().__await__()

    async def _answer(self) -> Any:
        if self.outcome is None:
            await asyncio.Event().wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        self.cancelled = True


PAGE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


class Handle:
    """Gives the responses it was made with, one a call; ``status`` gives them too.

    ``calls`` are the pages and the budget of each call, ``by_reference`` the way that each went.
    """

    def __init__(self, *outcomes: Any) -> None:
        self.responses = [Response(outcome) for outcome in outcomes]
        self.calls: list[Any] = []
        self.by_reference: list[bool] = []
        self.refusals: list[str] = []
        self._goes_by_reference = True

    def options(self, *, _by_reference: bool) -> Handle:
        near = copy(self)
        near._goes_by_reference = _by_reference
        return near

    def refused(self, stage: str, reason: str) -> None:
        self.refusals.append(reason)

    @property
    def status(self) -> Handle:
        return self

    def remote(self, items: Any = (), budget_s: float | None = None) -> Response:
        assert isinstance(items, SharedImages) != self._goes_by_reference
        self.calls.append(([image.copy() for image in received(items)], budget_s))
        self.by_reference.append(self._goes_by_reference)
        return self.responses[len(self.calls) - 1]


def client(*outcomes: Any) -> tuple[StageClient, Handle]:
    handle = Handle(*outcomes)
    return StageClient("recognition", handle, handle.refused), handle  # type: ignore[arg-type]


def task_error(cause: Exception) -> RayTaskError:
    return RayTaskError("f", "trace", cause).as_instanceof_cause()


async def test_answer_passes() -> None:
    stage, handle = client([1, 2])
    assert await stage([PAGE, 2 * PAGE]) == [1, 2]
    ((pages, budget_s),) = handle.calls
    np.testing.assert_array_equal(pages, [PAGE, 2 * PAGE])
    assert budget_s is None and handle.by_reference == [False]


async def test_images_go_through_ray_once_a_replica_could_not_reach_them() -> None:
    stage, handle = client(task_error(NotShared()), ["ok"], ["again"])
    assert await stage([PAGE]) == ["ok"] and await stage([PAGE]) == ["again"]
    assert handle.by_reference == [False, True, True]
    np.testing.assert_array_equal([pages for pages, _ in handle.calls], [[PAGE]] * 3)


async def test_no_memory_is_held_for_replicas_that_cannot_reach_it() -> None:
    stage, _ = client(["ok"], task_error(NotShared()), ["ok"])
    before = files_held()
    await stage([PAGE])
    assert files_held() == before + 1
    await stage([PAGE])
    assert files_held() == before


async def test_a_call_that_grpc_does_not_carry_goes_through_ray() -> None:
    nothing = grpc.aio.Metadata()
    too_large = grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, nothing, nothing)
    stage, handle = client(too_large, ["ok"], ["again"])
    assert await stage([PAGE]) == ["ok"] and await stage([PAGE]) == ["again"]
    assert handle.by_reference == [False, True, False]


async def test_call_on_a_dead_replica_is_sent_again_once() -> None:
    stage, handle = client(ActorDiedError(), ["ok"])
    assert await stage([PAGE]) == ["ok"] and len(handle.calls) == 2
    stage, _ = client(ActorDiedError(), ActorDiedError())
    with pytest.raises(StageUnavailable, match="recognition stage is restarting") as caught:
        await stage([PAGE])
    assert caught.value.retry_after_s == 5
    assert handle.refusals == ["replica_died"]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (BackPressureError(num_queued_requests=9, max_queued_requests=8), (Overloaded, ["queue_full"])),
        (DeploymentUnavailableError("Detection"), (StageUnavailable, ["unavailable"])),
        (task_error(UnreadableDocument("bad page")), (UnreadableDocument, [])),
        (task_error(StageUnavailable("down", 3.0)), (StageUnavailable, [])),
        (task_error(ZeroDivisionError()), (StageFailed, [])),
        (UnreadableDocument("bad page"), (UnreadableDocument, [])),
        (ZeroDivisionError(), (StageFailed, [])),
    ],
    ids=[
        "full",
        "undeployed",
        "our-error",
        "our-error-with-arguments",
        "any-error",
        "our-error-over-grpc",
        "any-error-over-grpc",
    ],
)
async def test_failures_become_ours(raised: Exception, expected: tuple[type[Exception], list[str]]) -> None:
    stage, handle = client(raised)
    with pytest.raises(expected[0]) as caught:
        await stage([PAGE])
    assert (type(caught.value), handle.refusals) == expected


async def test_cancelled_call_is_withdrawn_from_the_replica() -> None:
    stage, handle = client(None)
    call = asyncio.create_task(stage([PAGE]))
    while not handle.calls:
        await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert handle.responses[0].cancelled


async def test_what_is_left_of_the_deadline_goes_along() -> None:
    stage, handle = client(["ok"])
    async with deadline(60):
        assert await stage([PAGE]) == ["ok"]
    ((_, budget_s),) = handle.calls
    assert 0 < budget_s <= 60


async def test_ready_asks_once_and_trusts_a_recent_answer() -> None:
    stage, handle = client("warm")
    assert await stage.ready() and await stage.ready()
    assert len(handle.calls) == 1


async def test_not_ready_while_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.ingress.READY_TIMEOUT_S", 0.01)
    stage, handle = client(None, ActorDiedError())
    assert not await stage.ready() and handle.responses[0].cancelled
    assert not await stage.ready()
