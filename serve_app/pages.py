"""Pages on their way from a document to the stages, and what a request asks of its documents."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Protocol, Self

from deployments.errors import PayloadTooLarge, UnreadableDocument
from deployments.types import Image
from serve_app.page_ranges import PageRanges
from serve_app.results import PageOrigin, Region

DEFAULT_DPI = 200
# Red, green and blue.
BYTES_PER_PIXEL = 3
# Pillow takes larger pictures for bombs.
MAX_PIXELS = 178_000_000


class TextLayer(StrEnum):
    """What to do with text that a PDF page carries beside its picture."""

    IGNORE = "ignore"
    PREFER = "prefer"


class PageLimits(Protocol):
    """What documents may measure; ``serve_app.config.Limits`` has these and more.

    ``max_pixels`` holds for each page, ``max_document_pixels`` for all of a request together.
    ``max_render_s`` is for drawing one PDF page.
    """

    @property
    def max_pixels(self) -> int: ...
    @property
    def max_pages(self) -> int: ...
    @property
    def max_document_pixels(self) -> int: ...
    @property
    def max_side_px(self) -> int: ...
    @property
    def min_side_px(self) -> int: ...
    @property
    def max_render_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class PageBounds:
    """Limits apart from where they were configured, for another process."""

    max_pixels: int
    max_pages: int
    max_document_pixels: int
    max_side_px: int
    min_side_px: int
    max_render_s: float

    @classmethod
    def of(cls, limits: PageLimits) -> Self:
        """A copy of what limits pages."""
        return cls(**{field.name: getattr(limits, field.name) for field in fields(cls)})


class PixelBudget:
    """The pixels that a request may still have decoded."""

    def __init__(self, limits: PageLimits) -> None:
        self._max_pixels = self._left_pixels = limits.max_document_pixels

    def spend(self, image: Image) -> None:
        """Count a page. Raises PayloadTooLarge once all pages together pass the limit."""
        height_px, width_px = image.shape[:2]
        self._left_pixels -= height_px * width_px
        self.check(0)

    def check(self, pixels: float) -> None:
        """Raise PayloadTooLarge where so many pixels more are too many."""
        if pixels > self._left_pixels:
            most = megapixels(self._max_pixels)
            raise PayloadTooLarge(f"The pages have more than {most} megapixels together.")


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """Which pages to read and how: ``pages`` None means all, ``dpi`` is for PDF pages."""

    pages: PageRanges | None = None
    dpi: int = DEFAULT_DPI
    text_layer: TextLayer = TextLayer.IGNORE


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was sent; ``name`` is what the sender calls it, if anything."""

    data: bytes
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page, upright, ready for the stages.

    ``regions`` holds the lines of a text layer that is to be taken as it is, and is None where the
    page is to be read. ``jpeg`` is the file as sent where it shows just this page, upright, and
    ``is_grey`` says that it has one colour channel. ``decode_ms`` is the time that decoding took.
    """

    image: Image
    origin: PageOrigin
    regions: tuple[Region, ...] | None = None
    jpeg: bytes | None = None
    is_grey: bool = False
    decode_ms: float = 0.0


def check_size(size: tuple[int, int], limits: PageLimits, advice: str = "") -> None:
    """Raise PayloadTooLarge or UnreadableDocument unless a page of ``(width, height)`` may be read."""
    width, height = size
    if width * height > limits.max_pixels:
        most = megapixels(limits.max_pixels)
        raise PayloadTooLarge(
            f"The page is {width} x {height} px, over the limit of {most} megapixels.{advice}"
        )
    if max(size) > limits.max_side_px:
        raise PayloadTooLarge(
            f"The page is {width} x {height} px; no side may be over {limits.max_side_px} px.{advice}"
        )
    if min(size) < limits.min_side_px:
        raise UnreadableDocument(
            f"The page is {width} x {height} px; no side may be under {limits.min_side_px} px."
        )


def megapixels(pixels: int) -> str:
    """Millions of pixels in words, rounded down."""
    return f"{math.floor(pixels / 1e4) / 100:g}"
