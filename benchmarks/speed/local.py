"""The graph as small OCR services run it: a page at a time, and each crop by itself through the models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from benchmarks.speed.graph import STAGES, Graph
from serve_app.pages import SourcePage
from serve_app.pipeline import OcrPipeline, Recogniser
from serve_app.reader import ReadOptions
from serve_app.results import PageResult


class OneAtATime:
    """A :class:`serve_app.reader.Reader` that reads one document at a time in this process."""

    def __init__(self, pipeline: OcrPipeline, engines: Mapping[str, str]) -> None:
        self.engines = engines
        self._pipeline = pipeline
        self._turn = asyncio.Semaphore(1)

    async def stream(
        self, pages: AsyncIterator[SourcePage], options: ReadOptions
    ) -> AsyncGenerator[PageResult]:
        """Results of the pages in order, once it is the document's turn."""
        async with self._turn, aclosing(self._pipeline.stream(pages, options)) as results:
            async for result in results:
                yield result

    async def readiness(self) -> Mapping[str, bool]:
        """Always: the engines are warm before there is a reader."""
        return dict.fromkeys(self.engines, True)


def one_at_a_time(graph: Graph, engines: Mapping[str, Any]) -> OneAtATime:
    """The pipeline over bare engines."""
    alone = {name: _Alone(engines[name]) for name in STAGES}
    by_kind = graph.config.recognition.by_kind
    pipeline = OcrPipeline(
        alone["detection"],
        alone["classification"],
        {kind: Recogniser(engine, alone["recognition"]) for kind, engine in by_kind.items()},
        graph.config.pipeline,
    )
    return OneAtATime(pipeline, {name: engines[name].name for name in STAGES})


class _Alone:
    """An engine called with one item after the other, in a thread as FastAPI runs plain functions."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    async def __call__(self, items: Sequence[Any]) -> list[Any]:
        return await asyncio.to_thread(self._run, items)

    def _run(self, items: Sequence[Any]) -> list[Any]:
        return [self._read(item) for item in items]

    def _read(self, item: Any) -> Any:
        (outcome,) = self._engine.prepare([item])
        if not isinstance(outcome, Exception):
            (outcome,) = self._engine.finish(self._engine.forward([outcome]))
        return outcome
