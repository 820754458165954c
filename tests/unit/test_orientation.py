"""Pages on their heads are noticed by how unsurely they read, and read again."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
import pytest

from deployments.errors import Outcome, StageFailed
from deployments.geometry import quad_bounds, quad_from_box, rotate_points
from deployments.types import Image, Kind, KindScore, PageLines, Points, Reading, TextLine
from serve_app.config import PipelineOptions
from serve_app.orientation import (
    is_on_its_head,
    lines_to_probe,
    orientation_deg,
    reads_better_upside_down,
    turned_page,
    upside_down,
)
from serve_app.pages import SourcePage
from serve_app.pipeline import OcrPipeline, Recogniser
from serve_app.reader import ReadOptions
from serve_app.results import PageOrigin, PageResult, Region
from serve_app.schemas import Layout

LEVEL = quad_from_box((20, 20, 100, 20))


def region(confidence: float | None, width: float = 100, quad: Points | None = None) -> Region:
    return Region(quad_from_box((0, 0, width, 10)) if quad is None else quad, 0.9, confidence=confidence)


def test_a_page_that_reads_well_is_not_probed() -> None:
    assert lines_to_probe([region(0.95), region(0.9), region(0.2, width=30)]) == []


def test_lines_of_a_few_words_are_probed_first_and_short_ones_never() -> None:
    regions = [region(0.3, width=w) for w in (20, 60, 90, 110, 400)]
    assert lines_to_probe(regions) == [2, 3, 1, 4]
    assert lines_to_probe([region(0.1, width=20)]) == []
    assert len(lines_to_probe([region(0.3)] * 20)) == 8


def test_a_line_that_failed_does_not_make_the_page_unsure() -> None:
    assert lines_to_probe([region(1.0), region(None), region(1.0)]) == []
    assert lines_to_probe([region(None)]) == []


def test_it_takes_a_clear_lead_to_turn_a_page() -> None:
    page = [region(0.4), region(0.4)]
    assert reads_better_upside_down(page, [Reading("a", 0.9), Reading("b", 0.8)])
    assert not reads_better_upside_down(page, [Reading("a", 0.45), Reading("b", 0.45)])
    assert not reads_better_upside_down(page, [StageFailed("lost"), Reading("b", 0.9)])
    assert not reads_better_upside_down([], [])


@pytest.mark.parametrize(
    ("turned", "calls", "on_its_head"),
    [
        ([0.3] * 2, [2], False),  # clearly worse: nothing more is read
        ([0.45] * 2 + [0.95] * 6, [2, 6], True),  # unclear at first
        ([0.45] * 8, [2, 6], False),
        ([0.9] * 8, [2, 6], True),
    ],
)
async def test_a_few_lines_are_probed_before_the_others(
    turned: list[float], calls: list[int], on_its_head: bool
) -> None:
    coming, asked = iter(turned), []

    async def read(quads: list[Points]) -> list[Outcome[Reading]]:
        asked.append(len(quads))
        return [Reading("x", next(coming)) for _ in quads]

    assert await is_on_its_head([region(0.5)] * 20, read) is on_its_head
    assert asked == calls


@pytest.mark.parametrize("clockwise_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("skew_deg", [-12.0, 0.0, 12.0])
def test_orientation_is_told_apart_from_skew(clockwise_deg: int, skew_deg: float) -> None:
    quad = rotate_points(LEVEL, skew_deg - clockwise_deg, (100, 100))
    # A short note along the margin does not decide.
    note = rotate_points(quad_from_box((0, 0, 30, 10)), 90 + skew_deg - clockwise_deg, (0, 0))
    assert orientation_deg([region(0.9, quad=quad), region(0.9, quad=note)], skew_deg) == clockwise_deg


def test_a_page_without_lines_is_level() -> None:
    assert orientation_deg([], 3.0) == 0


SHORT = quad_from_box((20, 5, 40, 10))
WIDTH_PX = 140


def starts_dark(picture: Image) -> bool:
    half = picture.shape[1] // 2
    return bool(picture[:, :half].mean() < picture[:, half:].mean())


class Graph:
    """A page with one line that has a dark left end; reading is sure only when that end comes first."""

    def __init__(self) -> None:
        self.recognised = 0

    async def detect(self, pages: list[Image]) -> list[Outcome[PageLines]]:
        return [self.lines_of(page) for page in pages]

    def lines_of(self, page: Image) -> PageLines:
        if page.shape[1] < WIDTH_PX:
            return PageLines(())  # Nothing is seen from farther off.
        # A short line above is overlooked where the page lies on its head.
        quads = (SHORT, LEVEL) if starts_dark(page) else (LEVEL,)
        return PageLines(tuple(TextLine(quad, 0.9) for quad in quads))

    async def classify(self, crops: list[Image]) -> list[Outcome[KindScore]]:
        return [KindScore(Kind.PRINTED, 0.9) for _ in crops]

    async def recognise(self, crops: list[Image]) -> list[Outcome[Reading]]:
        self.recognised += len(crops)
        return [Reading("up", 0.9) if starts_dark(crop) else Reading("dn", 0.3) for crop in crops]

    async def read(self, page: Image, layout: Layout = Layout.PAGE) -> PageResult:
        readers = dict.fromkeys(Kind, Recogniser("crnn", self.recognise))
        pipeline = OcrPipeline(self.detect, self.classify, readers, PipelineOptions())

        async def pages() -> AsyncGenerator[SourcePage]:
            yield SourcePage(page, PageOrigin(1))

        (result,) = [result async for result in pipeline.stream(pages(), ReadOptions(layout, None))]
        return result


def page_with_dark_end(left: bool) -> Image:
    page = np.full((60, WIDTH_PX, 3), 255, np.uint8)
    for quad in (LEVEL, SHORT):
        x, y, width, height = (int(value) for value in quad_bounds(quad))
        page[y : y + height, x : x + width] = 128
        page[y : y + height, x : x + width // 4] = 0
    return page if left else turned_page(page)


async def test_a_page_on_its_head_is_found_and_read_the_right_way_up() -> None:
    graph = Graph()
    result = await graph.read(page_with_dark_end(left=False))
    assert [each.text for each in result.regions] == ["up", "up"]
    assert result.orientation_deg == 180
    short, level = (each.quad for each in result.regions)
    np.testing.assert_array_equal(level, upside_down(LEVEL))
    np.testing.assert_array_equal(short, [[120, 55], [80, 55], [80, 45], [120, 45]])
    assert graph.recognised == 4  # as it came, the probe, and what was found anew


@pytest.mark.parametrize("second", [PageLines(()), StageFailed("lost")], ids=["nothing", "failure"])
async def test_lines_that_are_not_found_anew_are_read_from_their_other_end(
    monkeypatch: pytest.MonkeyPatch, second: Outcome[PageLines]
) -> None:
    graph, looks = Graph(), 0
    first_look = graph.detect

    async def detect(pages: list[Image]) -> list[Outcome[PageLines]]:
        nonlocal looks
        if pages[0].shape[1] < WIDTH_PX:
            return await first_look(pages)
        looks += 1
        return await first_look(pages) if looks == 1 else [second]

    monkeypatch.setattr(graph, "detect", detect)
    result = await graph.read(page_with_dark_end(left=False))
    assert looks == 2 and result.error is None
    assert [each.text for each in result.regions] == ["up"]
    assert result.orientation_deg == 180


async def test_a_page_that_reads_well_costs_no_probe() -> None:
    graph = Graph()
    result = await graph.read(page_with_dark_end(left=True))
    assert result.orientation_deg == 0 and graph.recognised == 2


async def test_one_line_is_read_as_it_comes() -> None:
    graph = Graph()
    result = await graph.read(page_with_dark_end(left=False), Layout.LINE)
    assert result.orientation_deg == 0 and graph.recognised == 1
