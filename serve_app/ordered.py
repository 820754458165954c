"""Bounded concurrency over an asynchronous sequence, with results in its order."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


async def map_in_order(
    items: AsyncIterator[S], work: Callable[[int, S], Coroutine[Any, Any, T]], limit: int
) -> AsyncGenerator[T]:
    """Results of ``work(index, item)``, in order, each as soon as it and those before it are there.

    At most ``limit`` items are held: in work, or done before an earlier one. An error of ``work``
    is raised at its place and withdraws the rest; one of ``items`` is raised after the results of
    the items before it. Nothing keeps an item whose work is over.
    """
    tasks: deque[asyncio.Task[T]] = deque()
    coming: asyncio.Task[S] | None = None
    failure: Exception | None = None
    begun, ended = 0, False
    try:
        while True:
            if coming is None and not ended and len(tasks) < limit:
                coming = asyncio.ensure_future(_next(items))
            waiting: list[asyncio.Task[Any]] = [*list(tasks)[:1], *([coming] if coming else [])]
            if not waiting:
                break
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            # It would keep the item that came.
            waiting.clear()
            if coming is not None and coming.done():
                try:
                    tasks.append(asyncio.ensure_future(letting_go(work, begun, coming.result())))
                    begun += 1
                except StopAsyncIteration:
                    ended = True
                except Exception as error:
                    failure, ended = error, True
                coming = None
            if tasks and tasks[0].done():
                yield tasks.popleft().result()
        if failure is not None:
            raise failure
    finally:
        left = [*tasks, *([coming] if coming else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def letting_go(work: Callable[P, Coroutine[Any, Any, T]], *items: P.args, **named: P.kwargs) -> T:
    """The result of work on items; where it fails or is withdrawn, they do not outlast it.

    Frames that an exception went through keep what was in them, and some of asyncio keep the
    exception: items would stay until the collector of cycles came by, and items may be large.
    """
    working = work(*items, **named)
    del items, named
    try:
        return await working
    except BaseException as error:
        _clear_frames(error)
        raise


def _clear_frames(error: BaseException) -> None:
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


async def _next(items: AsyncIterator[S]) -> S:
    return await anext(items)
