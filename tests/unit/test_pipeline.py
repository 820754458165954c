from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

import numpy as np
import pytest

from deployments.errors import (
    InvalidParameter,
    OcrError,
    Outcome,
    Overloaded,
    StageFailed,
)
from deployments.fakes import FakeClassifier, FakeDetector, FakeRecogniser, draw_page
from deployments.geometry import quad_from_box
from deployments.settings import StageTuning
from deployments.stage import Stage
from deployments.types import Image, Kind, KindScore, PageLines, Reading, TextLine
from serve_app import pipeline
from serve_app.config import PipelineOptions
from serve_app.pages import SourcePage
from serve_app.pipeline import OcrPipeline, Recogniser
from serve_app.reader import ReadOptions
from serve_app.results import PageOrigin, PageResult, Region
from serve_app.schemas import Layout

HAND, PRINT = Kind.HANDWRITTEN, Kind.PRINTED


class Tuning(StageTuning):
    confidence: float = 0.0


class Recorder:
    """A stage that also remembers how many items each of its calls carried."""

    def __init__(self, stage: Callable[[list[Image]], Awaitable[list[Outcome[object]]]]) -> None:
        self.stage = stage
        self.calls: list[int] = []

    async def __call__(self, items: list[Image]) -> list[Outcome[object]]:
        self.calls.append(len(items))
        return await self.stage(items)


class Graph:
    """A pipeline over the real stage class with fake engines; any stage can be replaced."""

    def __init__(
        self,
        shared: bool = True,
        options: PipelineOptions | None = None,
        **replaced: Callable[..., object],
    ) -> None:
        self.detect = replaced.get("detect") or Recorder(Stage(FakeDetector(), Tuning))
        self.classify = replaced.get("classify") or Recorder(Stage(FakeClassifier(), Tuning))
        self.reader = replaced.get("recognise") or Recorder(Stage(FakeRecogniser(), Tuning))
        self.hand = self.reader if shared else Recorder(Stage(FakeRecogniser(), Tuning))
        recognisers = {
            PRINT: Recogniser("crnn", self.reader),
            HAND: Recogniser("crnn" if shared else "trocr", self.hand),
        }
        self.pipeline = OcrPipeline(self.detect, self.classify, recognisers, options or PipelineOptions())

    async def read(
        self, *pages: Image, layout: Layout = Layout.PAGE, engine: str | None = None
    ) -> list[PageResult]:
        sources = (SourcePage(image, PageOrigin(1 + index)) for index, image in enumerate(pages))
        return [page async for page in self.pipeline.stream(each(sources), ReadOptions(layout, engine))]


async def each(pages: Iterable[SourcePage]) -> AsyncGenerator[SourcePage]:
    for page in pages:
        yield page


async def test_the_stages_that_a_page_enters_are_told() -> None:
    told: list[tuple[int, str]] = []
    page = SourcePage(draw_page([11, 22], [PRINT, HAND]), PageOrigin(4))
    options = ReadOptions(on_stage=lambda origin, stage: told.append((origin.number, stage)))
    async for _ in Graph().pipeline.stream(each([page]), options):
        pass
    stages = ["detection", "crops", "classification", "recognition", "assembly"]
    assert told == [(4, stage) for stage in stages]


async def test_page_is_read_line_by_line() -> None:
    graph = Graph()
    (page,) = await graph.read(draw_page([11, 22, 33], [PRINT, HAND, PRINT]))
    assert [(r.text, r.kind) for r in page.regions] == [("11", PRINT), ("22", HAND), ("33", PRINT)]
    assert all(r.engine == "crnn" and r.confidence == 1 and r.error is None for r in page.regions)
    stages = {"decode", "detection", "crops", "classification", "recognition", "assembly"}
    assert set(page.timings_ms) == stages
    assert page.origin == PageOrigin(1)


async def test_each_stage_gets_one_call_per_page() -> None:
    graph = Graph()
    await graph.read(draw_page([1, 2, 3]), draw_page([4]))
    assert graph.detect.calls == [1, 1]
    assert sorted(graph.classify.calls) == sorted(graph.reader.calls) == [1, 3]


async def test_crops_go_to_the_engine_of_their_kind_and_come_back_in_order() -> None:
    graph = Graph(shared=False)
    pages = await graph.read(draw_page([1, 2, 3, 4], [HAND, PRINT, HAND, PRINT]))
    regions = pages[0].regions
    assert [r.text for r in regions] == ["1", "2", "3", "4"]
    assert [r.engine for r in regions] == ["trocr", "crnn", "trocr", "crnn"]
    assert graph.reader.calls == [2] and graph.hand.calls == [2]


async def test_line_layout_skips_detection() -> None:
    graph = Graph()
    line = draw_page([99])[10:50]
    pages = await graph.read(line, layout=Layout.LINE)
    (region,) = pages[0].regions
    assert region.text == "99" and region.detection_confidence == 1
    assert region.quad.tolist() == [[0, 0], [240, 0], [240, 40], [0, 40]]
    assert graph.detect.calls == []


async def test_page_without_lines_is_an_empty_page() -> None:
    graph = Graph()
    pages = await graph.read(np.full((50, 60, 3), 255, np.uint8))
    assert pages[0].regions == () and pages[0].error is None
    assert graph.classify.calls == []


async def test_failed_items_stay_with_their_regions() -> None:
    async def classify(crops: Sequence[Image]) -> list[Outcome[KindScore]]:
        return [StageFailed("no kind"), *[KindScore(PRINT, 0.9)] * (len(crops) - 1)]

    async def recognise(crops: Sequence[Image]) -> list[Outcome[Reading]]:
        return [*[Reading("ok", 0.8)] * (len(crops) - 1), StageFailed("no text")]

    pages = await Graph(classify=classify, recognise=recognise).read(draw_page([1, 2, 3]))
    first, second, third = pages[0].regions
    assert first.text == "ok" and first.kind is None and str(first.error) == "no kind"
    assert second.error is None
    assert third.text is None and third.kind is PRINT and str(third.error) == "no text"


async def test_failed_page_leaves_the_others_alone() -> None:
    good = FakeDetector()
    good.configure(Tuning())

    async def detect(pages: Sequence[Image]) -> list[Outcome[PageLines]]:
        if pages[0].shape[0] == 80:
            return [StageFailed("bad page")]
        return good.finish(good.forward(good.prepare(pages)))

    pages = await Graph(detect=detect).read(draw_page([1]), draw_page([2, 3]))
    assert str(pages[0].error) == "bad page"
    assert [r.text for r in pages[1].regions] == ["2", "3"]


async def test_stage_that_fails_as_a_whole_marks_every_region() -> None:
    async def classify(crops: Sequence[Image]) -> list[Outcome[KindScore]]:
        raise StageFailed("gone")

    pages = await Graph(classify=classify).read(draw_page([1, 2]))
    assert [(r.text, r.kind, str(r.error)) for r in pages[0].regions] == [
        ("1", None, "gone"),
        ("2", None, "gone"),
    ]


@pytest.mark.parametrize("stage", ["detect", "classify", "recognise"])
async def test_overload_of_any_stage_is_the_answer_to_the_request(stage: str) -> None:
    async def full(items: Sequence[Image]) -> list[OcrError]:
        raise Overloaded("full", retry_after_s=7)

    with pytest.raises(Overloaded) as caught:
        await Graph(**{stage: full}).read(draw_page([1]), draw_page([2]))
    assert caught.value.retry_after_s == 7


async def test_a_reader_that_goes_away_withdraws_the_work() -> None:
    withdrawn, begun = asyncio.Event(), asyncio.Event()

    async def never(items: Sequence[Image]) -> list[OcrError]:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            withdrawn.set()
            raise
        raise AssertionError

    reading = asyncio.ensure_future(Graph(detect=never).read(draw_page([1])))
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert withdrawn.is_set()


async def test_an_engine_of_the_graph_can_be_asked_for() -> None:
    graph = Graph(shared=False)
    (page,) = await graph.read(draw_page([1, 2], [HAND, PRINT]), engine="trocr")
    assert [(r.text, r.kind, r.engine) for r in page.regions] == [
        ("1", HAND, "trocr"),
        ("2", PRINT, "trocr"),
    ]
    assert graph.reader.calls == [] and graph.hand.calls == [2]


async def test_an_engine_that_the_graph_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(InvalidParameter, match="reads with crnn, trocr"):
        await Graph(shared=False).read(draw_page([1]), engine="easyocr")


async def test_a_text_layer_is_passed_on_unread() -> None:
    graph = Graph()
    region = Region(quad_from_box((1, 2, 30, 4)), 1.0, PRINT, None, "typed", 1.0, "text-layer")
    source = SourcePage(draw_page([1]), PageOrigin(1), (region,))
    (page,) = [page async for page in graph.pipeline.stream(each([source]), ReadOptions())]
    assert page.regions == (region,) and graph.detect.calls == []


@pytest.mark.parametrize(("most", "expected"), [(3, ["2", "1", "0"]), (2, ["0", "1", "2"])])
async def test_a_turned_text_layer_is_put_in_order_as_it_reads_unless_it_has_too_many_lines(
    most: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that run down the page, the first of them at its right."""
    monkeypatch.setattr(pipeline, "TURNED_LINES_MAX", most)
    quads = [quad_from_box((x, 10, 10, 150)) for x in (20, 40, 60)]
    regions = tuple(
        Region(np.roll(quad, -1, axis=0), 1.0, PRINT, None, str(n), 1.0, "text-layer")
        for n, quad in enumerate(quads)
    )
    source = SourcePage(draw_page([1]), PageOrigin(1), regions)
    (page,) = [page async for page in Graph().pipeline.stream(each([source]), ReadOptions())]
    assert page.orientation_deg == 90
    assert [region.text for region in page.regions] == expected


async def test_a_block_is_read_across_what_would_be_columns() -> None:
    rows = [TextLine(quad_from_box((x, y, 200, 20)), 0.9) for x in (10, 300) for y in range(10, 210, 40)]

    async def detect(pages: Sequence[Image]) -> list[Outcome[PageLines]]:
        return [PageLines(tuple(rows))]

    for layout, lefts in ((Layout.PAGE, [10] * 5 + [300] * 5), (Layout.BLOCK, [10, 300] * 5)):
        page = np.full((300, 520, 3), 255, np.uint8)
        (result,) = await Graph(detect=detect).read(page, layout=layout)
        assert [int(region.quad[0, 0]) for region in result.regions] == lefts


async def test_characters_stand_where_they_were_seen_whatever_the_crops_margin() -> None:
    async def recognise(crops: Sequence[Image]) -> list[Outcome[Reading]]:
        return [Reading("ab", 0.8, (0.7, 0.9), ((0.0, 0.5), (0.5, 1.0))) for _ in crops]

    (page,) = await Graph(recognise=recognise).read(draw_page([77]))
    (region,) = page.regions
    assert region.char_confidences == (0.7, 0.9)
    assert [edge for span in region.char_spans for edge in span] == pytest.approx([0, 0.5, 0.5, 1])


async def test_lines_without_area_are_left_out() -> None:
    async def detect(pages: Sequence[Image]) -> list[Outcome[PageLines]]:
        flat = TextLine(quad_from_box((5, 5, 40, 0)), 0.9)
        lines = (flat, TextLine(quad_from_box((18, 18, 172, 28)), 0.8))
        # From farther off nothing is seen.
        return [PageLines(lines if page.shape[1] == 240 else ()) for page in pages]

    pages = await Graph(detect=detect).read(draw_page([55]))
    assert [r.text for r in pages[0].regions] == ["55"]


@pytest.mark.parametrize(("looks", "calls"), [(0, [1]), (2, [1, 1])])
async def test_small_print_in_a_corner_is_looked_at_by_itself(looks: int, calls: list[int]) -> None:
    shown: list[tuple[int, ...]] = []

    async def detect(pages: list[Image]) -> list[Outcome[PageLines]]:
        shown.extend(page.shape[:2] for page in pages)
        # Of the whole page a line is seen, of the corner two.
        corner = pages[0].shape[0] < 2000
        quads = [quad_from_box((60, 120, 300, 20)), quad_from_box((60, 160, 300, 20))]
        return [PageLines(tuple(TextLine(quad, 0.9) for quad in quads[: 1 + corner]))]

    recorder = Recorder(detect)
    graph = Graph(detect=recorder, options=PipelineOptions(closer_looks=looks))
    (page,) = await graph.read(np.full((2400, 1700, 3), 255, np.uint8))
    assert recorder.calls == calls
    assert len(page.regions) == len(calls)
    assert shown[0] == (2400, 1700) and all(max(shape) < 1200 for shape in shown[1:])


async def test_a_page_keeps_its_lines_where_the_closer_look_fails() -> None:
    looked = 0

    async def detect(pages: list[Image]) -> list[Outcome[PageLines]]:
        nonlocal looked
        looked += 1
        if looked > 1:
            raise StageFailed("lost")
        return [PageLines((TextLine(quad_from_box((60, 120, 300, 20)), 0.9),))]

    (page,) = await Graph(detect=detect).read(np.full((2400, 1700, 3), 255, np.uint8))
    assert looked == 2 and len(page.regions) == 1 and page.error is None


async def test_a_page_strewn_with_specks_reaches_the_stages_without_them() -> None:
    shown: list[Image] = []

    async def detect(pages: list[Image]) -> list[Outcome[PageLines]]:
        shown.extend(pages)
        return [PageLines((TextLine(quad_from_box((60, 120, 300, 40)), 0.9),))]

    async def recognise(crops: list[Image]) -> list[Outcome[Reading]]:
        shown.extend(crops)
        return [Reading("text", 0.9) for _ in crops]

    strewn = np.full((600, 500, 3), 255, np.uint8)
    strewn[np.random.default_rng(0).random((600, 500)) < 0.01] = 0
    (page,) = await Graph(detect=detect, recognise=recognise).read(strewn)
    assert [region.text for region in page.regions] == ["text"]
    assert len(shown) == 2 and all((pixels == 0).mean() < 0.001 for pixels in shown)
    assert (strewn == 0).mean() > 0.009
