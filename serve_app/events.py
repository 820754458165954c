"""What happens to pages while a document is read, and how it is told between the results."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from serve_app.render.images import PageImage
from serve_app.results import PageOrigin

E = TypeVar("E")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageDecoded:
    """A page was decoded, and looks like this."""

    origin: PageOrigin
    picture: PageImage


@dataclass(frozen=True, slots=True)
class StageBegun:
    """A page entered a stage."""

    origin: PageOrigin
    stage: str


PageEvent: TypeAlias = PageDecoded | StageBegun


class Events(Generic[E]):
    """Takes events, as a callable of the event loop's thread, and tells them among results.

    It holds what was not told yet: as many events as happen between two results.
    """

    def __init__(self) -> None:
        self._untold: deque[E] = deque()
        self._any = asyncio.Event()

    def __call__(self, event: E) -> None:
        self._untold.append(event)
        self._any.set()

    async def among(self, results: AsyncIterator[T]) -> AsyncGenerator[E | T]:
        """Events and results, each as soon as it is there; events before a result precede it.

        Raises what ``results`` raises. Closing it withdraws the wait for the next result.
        """
        coming: asyncio.Task[T] | None = None
        noticed = asyncio.ensure_future(self._any.wait())
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(results))
                await asyncio.wait((coming, noticed), return_when=asyncio.FIRST_COMPLETED)
                while self._untold:
                    yield self._untold.popleft()
                if noticed.done():
                    self._any.clear()
                    noticed = asyncio.ensure_future(self._any.wait())
                if coming.done():
                    try:
                        result = coming.result()
                    except StopAsyncIteration:
                        return
                    coming = None
                    yield result
        finally:
            left = [noticed, *([coming] if coming else [])]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


async def _next(results: AsyncIterator[T]) -> T:
    return await anext(results)
