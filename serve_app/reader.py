"""What the HTTP side asks of whatever reads documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from serve_app.pages import SourcePage
from serve_app.results import PageOrigin, PageResult
from serve_app.schemas import Layout


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How pages are read. ``engine`` reads lines of every kind; None: each kind has its own.

    ``on_stage`` is called in the event loop when a page enters a stage, with the stage's name as in
    ``PageResult.timings_ms``; a page may enter a stage more than once.
    """

    layout: Layout = Layout.PAGE
    engine: str | None = None
    on_stage: Callable[[PageOrigin, str], None] | None = None


class Reader(Protocol):
    """Reads decoded pages; the stages behind it may be anywhere."""

    @property
    def engines(self) -> Mapping[str, str]:
        """The engine of every stage: ``detection``, ``classification``, ``recognition.<kind>``."""
        ...

    def stream(self, pages: AsyncIterator[SourcePage], options: ReadOptions) -> AsyncGenerator[PageResult]:
        """Results of the pages in order, each as soon as it is there; a few pages are taken ahead.

        Closing the generator, or cancelling the task that waits for it, withdraws the work. Raises
        :class:`deployments.errors.OcrError`, and what ``pages`` raises once the pages before are
        answered; what befalls one page or region alone is its ``error``.
        """
        ...

    async def readiness(self) -> Mapping[str, bool]:
        """Whether each stage, by name, is warm and can take work."""
        ...
