"""Pictures of pages, and the pages themselves meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing

import numpy as np
import pytest

from serve_app.pages import SourcePage
from serve_app.picturing import Picturing
from serve_app.render.images import PageImage
from serve_app.results import PageOrigin


async def pages_of(count: int) -> AsyncGenerator[SourcePage]:
    for number in range(1, count + 1):
        yield SourcePage(np.zeros((8, 8, 3), np.uint8), PageOrigin(number))


class Easel:
    """Makes pictures when they are let go; records what is begun and told."""

    def __init__(self) -> None:
        self.go = asyncio.Semaphore(0)
        self.begun: list[int] = []
        self.told: list[int] = []

    async def make(self, page: SourcePage) -> PageImage:
        self.begun.append(page.origin.number)
        await self.go.acquire()
        return PageImage(b"", is_grey=True)

    def tell(self, origin: PageOrigin, picture: PageImage) -> None:
        self.told.append(origin.number)

    def of(self, pages: AsyncIterator[SourcePage]) -> Picturing:
        return Picturing(pages, self.make, self.tell)


async def stepped() -> None:
    """Everything has run that does not wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_page_goes_on_before_its_picture_is_done_and_the_next_after() -> None:
    easel = Easel()
    async with aclosing(pages_of(2)) as pages:
        pictures = easel.of(pages)
        assert (await anext(pictures)).origin.number == 1
        coming = asyncio.ensure_future(anext(pictures))
        await stepped()
        assert easel.begun == [1] and not easel.told and not coming.done()
        easel.go.release()
        assert (await coming).origin.number == 2
        await stepped()
        assert easel.begun == [1, 2] and easel.told == [1]
        easel.go.release()
        assert await anext(pictures, None) is None
    assert easel.told == [1, 2]


async def test_results_can_wait_for_the_pictures_of_their_pages() -> None:
    easel = Easel()
    async with aclosing(pages_of(1)) as pages:
        pictures = easel.of(pages)
        await anext(pictures)
        telling = asyncio.ensure_future(pictures.told())
        await stepped()
        assert not telling.done()
        easel.go.release()
        await telling
    assert easel.told == [1]


async def test_once_closed_no_picture_is_told() -> None:
    easel = Easel()
    async with aclosing(pages_of(1)) as pages:
        with closing(easel.of(pages)) as pictures:
            await anext(pictures)
    easel.go.release()
    await stepped()
    assert not easel.told


async def test_a_picture_that_cannot_be_made_fails_its_document() -> None:
    async def make(page: SourcePage) -> PageImage:
        raise ZeroDivisionError

    async with aclosing(pages_of(2)) as pages:
        pictures = Picturing(pages, make, lambda *_: None)
        await anext(pictures)
        with pytest.raises(ZeroDivisionError):
            await pictures.told()
        with pytest.raises(ZeroDivisionError):
            await anext(pictures)
