"""What the HTTP side asks of whatever reads documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from deployments.types import Image
from serve_app.results import DocumentResult


class Reader(Protocol):
    """Reads decoded pages; the stages behind it may be anywhere."""

    async def read(self, pages: Sequence[Image], whole_line: bool, deadline_s: float) -> DocumentResult:
        """Read the pages of one document, in order.

        With ``whole_line`` each image is one line of text and is not searched for lines. Work is
        withdrawn when the caller cancels, and after ``deadline_s`` seconds. Raises
        :class:`deployments.errors.OcrError`; what befalls one page or region alone is its ``error``.
        """
        ...

    async def readiness(self) -> Mapping[str, bool]:
        """Whether each stage, by name, is warm and can take work."""
        ...
