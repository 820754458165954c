"""Pictures of pages for the formats that show them, kept as JPEG while the document is read."""

from __future__ import annotations

import io
from dataclasses import dataclass

import PIL.Image

from deployments.types import Image
from serve_app.pages import SourcePage

_QUALITY = 88
_REDUCED_QUALITY = 80


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as JPEG, of the size that was read; ``is_grey`` tells one colour channel from three."""

    jpeg: bytes
    is_grey: bool


def page_image(page: SourcePage) -> PageImage:
    """The picture of a page: the file itself where that is possible, else compressed anew.

    A file of somebody else is passed on and never opened here: see docs/decisions/0007.
    """
    return compressed(page) if page.jpeg is None else PageImage(page.jpeg, page.is_grey)


def compressed(page: SourcePage) -> PageImage:
    """The picture of a page compressed here, which may be opened again."""
    is_grey = _is_grey(page.image)
    pixels = PIL.Image.fromarray(page.image[:, :, 0] if is_grey else page.image)
    return PageImage(_jpeg(pixels, _QUALITY, subsampling="4:4:4"), is_grey)


def reduced_image(page: SourcePage, longest_px: int) -> PageImage:
    """The picture of a page, its longer side reduced to ``longest_px`` pixels where it is longer."""
    is_grey = _is_grey(page.image)
    pixels = PIL.Image.fromarray(page.image[:, :, 0] if is_grey else page.image)
    pixels.thumbnail((longest_px, longest_px), PIL.Image.Resampling.BOX)
    return PageImage(_jpeg(pixels, _REDUCED_QUALITY), is_grey)


def _jpeg(pixels: PIL.Image.Image, quality: int, **options: str) -> bytes:
    stream = io.BytesIO()
    pixels.save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def _is_grey(image: Image) -> bool:
    red, green, blue = (image[:, :, channel] for channel in range(3))
    return bool((red == green).all() and (green == blue).all())
