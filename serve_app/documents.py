"""Bytes as sent -> pages: formats told by content, limits held before pixels are decoded.

Decoders meet hostile bytes here, so whatever they raise becomes an
:class:`~deployments.errors.InputError`: this module raises nothing else.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

import PIL.ExifTags
import PIL.Image

from deployments.errors import (
    InputError,
    MalformedRequest,
    PayloadTooLarge,
    UnreadableDocument,
    UnsupportedFormat,
)
from deployments.types import Image
from serve_app.pixels import to_rgb

SUPPORTED = "JPEG, PNG, TIFF, WebP, BMP and GIF"

_NEW_SUBFILE_TYPE = 254
_REDUCED_RESOLUTION = 1


class Format(StrEnum):
    """Formats that are read; values are Pillow's names of them."""

    JPEG = "JPEG"
    PNG = "PNG"
    TIFF = "TIFF"
    WEBP = "WEBP"
    BMP = "BMP"
    GIF = "GIF"


_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"II*\x00", Format.TIFF),
    (b"MM\x00*", Format.TIFF),
    (b"II+\x00", Format.TIFF),
    (b"MM\x00+", Format.TIFF),
    (b"BM", Format.BMP),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
)

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")

_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


class PageLimits(Protocol):
    """What a document may measure; ``serve_app.config.Limits`` has these and more.

    ``max_pixels`` holds for each page, ``max_document_pixels`` for all of them together.
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


def decode(data: bytes, limits: PageLimits) -> list[Image]:
    """All pages of a document, upright (EXIF orientation applied).

    Of animations the first frame is read. Raises MalformedRequest for no bytes, UnsupportedFormat
    for what is not one of ``SUPPORTED``, UnreadableDocument for damaged files and pages under
    ``min_side_px``, PayloadTooLarge for pages and page counts over the limits.
    """
    kind = sniff(data)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[kind.value]) as picture:
            return list(_read_pages(_pages(picture, kind, limits), limits))
    except InputError:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise PayloadTooLarge(f"A page may have {_mega(limits.max_pixels)} megapixels at most.") from error
    except Exception as error:
        raise UnreadableDocument(f"The {kind.value} file is damaged or cut short.") from error


def sniff(data: bytes) -> Format:
    """The format of a document by its first bytes; what the sender calls it does not matter."""
    if not data:
        raise MalformedRequest("The document is empty: it has no bytes.")
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Format.WEBP
    if b"%PDF-" in data[:1024]:
        raise UnsupportedFormat(f"PDF is not supported yet: send its pages as images ({SUPPORTED}).")
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        raise UnsupportedFormat(f"HEIF and AVIF are not supported: send {SUPPORTED}.")
    raise UnsupportedFormat(f"The bytes are not an image of a supported format: {SUPPORTED}.")


def _pages(picture: PIL.Image.Image, kind: Format, limits: PageLimits) -> Iterator[PIL.Image.Image]:
    if kind is not Format.TIFF:
        yield picture
        return
    found = 0
    # Previews do not count as pages, yet a file made of them alone must not keep us busy.
    for index in range(2 * limits.max_pages + 1):
        try:
            picture.seek(index)
        except EOFError:
            break
        if index and _is_preview(picture):
            continue
        found += 1
        if found > limits.max_pages:
            break
        yield picture
    else:
        found = limits.max_pages + 1
    if found > limits.max_pages:
        raise PayloadTooLarge(f"A document may have {limits.max_pages} pages at most.")


def _is_preview(picture: PIL.Image.Image) -> bool:
    kind = getattr(picture, "tag_v2", {}).get(_NEW_SUBFILE_TYPE, 0)
    return bool(int(kind) & _REDUCED_RESOLUTION)


def _read_pages(pictures: Iterator[PIL.Image.Image], limits: PageLimits) -> Iterator[Image]:
    left_pixels = limits.max_document_pixels
    for picture in pictures:
        left_pixels -= picture.width * picture.height
        if left_pixels < 0:
            raise PayloadTooLarge(
                f"The pages have more than {_mega(limits.max_document_pixels)} megapixels together."
            )
        yield _read_page(picture, limits)


def _read_page(picture: PIL.Image.Image, limits: PageLimits) -> Image:
    _check_size(picture.size, limits)
    picture.load()
    turn = _TURNS.get(_orientation(picture))
    upright = picture.transpose(turn) if turn is not None else picture
    _check_size(upright.size, limits)
    return to_rgb(upright)


def _orientation(picture: PIL.Image.Image) -> int:
    """EXIF orientation, 1 (upright) when absent or when the metadata alone is damaged."""
    try:
        return int(picture.getexif().get(PIL.ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _check_size(size: tuple[int, int], limits: PageLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise PayloadTooLarge(
            f"The page is {width} x {height} px, over the limit of {_mega(limits.max_pixels)} megapixels."
        )
    if max(size) > limits.max_side_px:
        raise PayloadTooLarge(
            f"The page is {width} x {height} px; no side may be over {limits.max_side_px} px."
        )
    if min(size) < limits.min_side_px:
        raise UnreadableDocument(
            f"The page is {width} x {height} px; no side may be under {limits.min_side_px} px."
        )


def _mega(pixels: int) -> str:
    return f"{math.floor(pixels / 1e4) / 100:g}"
