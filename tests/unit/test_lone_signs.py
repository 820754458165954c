"""Pictures on which detection finds nothing: a digit, a short word, dirt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from deployments.errors import Outcome, StageFailed
from deployments.fakes import draw_page
from deployments.geometry import quad_bounds
from deployments.types import Image, PageLines, Reading
from serve_app.results import PageResult
from tests.unit.test_pipeline import Graph


async def unseen(pages: Sequence[Image]) -> list[Outcome[PageLines]]:
    return [PageLines(()) for _ in pages]


async def read_unseen(text: str, confidence: float) -> PageResult:
    async def recognise(crops: Sequence[Image]) -> list[Outcome[Reading]]:
        return [Reading(text, confidence) for _ in crops]

    (page,) = await Graph(detect=unseen, recognise=recognise).read(draw_page([55]))
    return page


@pytest.mark.parametrize(("text", "confidence"), [("7", 0.9), ("да", 0.7)])
async def test_a_picture_without_lines_is_read_as_one(text: str, confidence: float) -> None:
    page = await read_unseen(text, confidence)
    (region,) = page.regions
    assert (region.text, region.confidence) == (text, confidence)
    assert quad_bounds(region.quad) == (0, 0, page.width_px, page.height_px)


@pytest.mark.parametrize(("text", "confidence"), [("7", 0.69), (".", 0.99), ("", 0.0)])
async def test_dirt_is_no_line(text: str, confidence: float) -> None:
    page = await read_unseen(text, confidence)
    assert page.regions == () and page.error is None


async def test_a_lone_sign_on_its_head_is_read_the_other_way_up() -> None:
    async def recognise(crops: Sequence[Image]) -> list[Outcome[Reading]]:
        # Ink is on the left where the page lies right, as seen from it.
        return [
            Reading("2026", 0.9) if crop[:, :100].mean() < crop[:, -100:].mean() else Reading("9202", 0.72)
            for crop in crops
        ]

    page = np.full((120, 500, 3), 255, np.uint8)
    page[40:80, 300:450] = 0
    (result,) = await Graph(detect=unseen, recognise=recognise).read(page)
    assert [(region.text, region.confidence) for region in result.regions] == [("2026", 0.9)]
    assert result.orientation_deg == 180


async def test_a_lone_sign_that_could_not_be_read_says_so() -> None:
    async def recognise(crops: Sequence[Image]) -> list[Outcome[Reading]]:
        return [StageFailed("lost") for _ in crops]

    (page,) = await Graph(detect=unseen, recognise=recognise).read(draw_page([55]))
    assert [(region.text, type(region.error)) for region in page.regions] == [(None, StageFailed)]
