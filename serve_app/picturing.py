"""Pictures of pages, made while the pages are read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Self

from serve_app.ordered import letting_go
from serve_app.pages import SourcePage
from serve_app.render.images import PageImage
from serve_app.results import PageOrigin


class Picturing:
    """An asynchronous iterator over the pages of a document, each of which has its picture made.

    A page goes on at once, the next one once its picture is done: pictures are told in order, and one
    document has one made at a time. Nothing here keeps a page longer than that takes. Close it.

    Args:
        pages: where they come from.
        make: makes a picture, beside the event loop.
        tell: is called in the event loop with each picture.
    """

    def __init__(
        self,
        pages: AsyncIterator[SourcePage],
        make: Callable[[SourcePage], Coroutine[Any, Any, PageImage]],
        tell: Callable[[PageOrigin, PageImage], None],
    ) -> None:
        self._pages = pages
        self._make = make
        self._tell = tell
        self._last: asyncio.Task[None] | None = None
        self._untold: deque[asyncio.Task[None]] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SourcePage:
        """The next page. Raises what ``pages`` and ``make`` raise."""
        if self._last is not None:
            await self._last
        page = await anext(self._pages)
        self._last = asyncio.create_task(self._picture(page))
        self._untold.append(self._last)
        return page

    async def told(self) -> None:
        """Wait until the picture of a page was told: of the first at the first call, and so on.

        Raises what ``make`` does.
        """
        await self._untold.popleft()

    def close(self) -> None:
        """Tell no more."""
        if self._last is not None:
            self._last.cancel()

    async def _picture(self, page: SourcePage) -> None:
        origin, making = page.origin, letting_go(self._make, page)
        del page
        self._tell(origin, await making)
