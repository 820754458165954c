"""Files as sent -> pages, one at a time: formats told by content, limits held before pixels are decoded.

This module and the readers behind it (``pictures``, ``pdf``) raise nothing but
:class:`~deployments.errors.InputError`. They run in decoder processes (``serve_app/decoding/``):
what native code does to its process there, no request but its own feels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, Self

from deployments.errors import (
    InputError,
    InvalidParameter,
    MalformedRequest,
    PayloadTooLarge,
    UnsupportedFormat,
)
from serve_app.pages import DocumentOptions, PageLimits, PixelBudget, SourceFile, SourcePage
from serve_app.pdf import PdfFile
from serve_app.pictures import PictureFile
from serve_app.results import PageOrigin

SUPPORTED = "PDF, JPEG, PNG, TIFF, WebP, BMP and GIF"

# Readers of PDF accept it after other bytes, as mail gateways leave them.
_PDF_HEADER_WITHIN = 1024


class Format(StrEnum):
    """Formats that are read; values are Pillow's names of them, but for PDF."""

    JPEG = "JPEG"
    PNG = "PNG"
    TIFF = "TIFF"
    WEBP = "WEBP"
    BMP = "BMP"
    GIF = "GIF"
    PDF = "PDF"


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


class _PageReader(Protocol):
    """One open file of any format."""

    @property
    def page_count(self) -> int: ...
    def read(self, number: int, origin: PageOrigin) -> SourcePage: ...
    def pixels(self, number: int) -> float:
        """How many a page will have, as far as that can be told without decoding it."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Place:
    reader: _PageReader
    origin: PageOrigin


class OpenDocument:
    """All files of a request, opened: how many pages are to be read, and the pages one at a time.

    ``read`` and iteration decode; both belong into a worker thread, one at a time. Close it.
    """

    def __init__(self, readers: Sequence[_PageReader], places: Sequence[_Place], limits: PageLimits) -> None:
        self._readers = readers
        self._places = places
        self._budget = PixelBudget(limits)

    @property
    def page_count(self) -> int:
        """How many pages are to be read."""
        return len(self._places)

    def read(self, index: int) -> SourcePage:
        """The page at ``index``, from 0, of those to be read.

        Raises:
            UnreadableDocument: the page is damaged, or too small.
            PayloadTooLarge: it is too large, or all pages read so far are together.
        """
        started_s = time.perf_counter()
        place = self._places[index]
        with _telling_which(place.origin.file, place.origin.file_name, len(self._readers)):
            page = place.reader.read(place.origin.number, place.origin)
        self._budget.spend(page.image)
        return replace(page, decode_ms=(time.perf_counter() - started_s) * 1000)

    def __iter__(self) -> Iterator[SourcePage]:
        return (self.read(index) for index in range(self.page_count))

    def close(self) -> None:
        """Free the files."""
        for reader in self._readers:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_document(
    files: Sequence[SourceFile], limits: PageLimits, options: DocumentOptions | None = None
) -> OpenDocument:
    """Open the files of a request, in order; no page is decoded yet. Pages will be upright.

    Of animations the first frame is a page.

    Raises:
        MalformedRequest: a file without bytes, or no file.
        UnsupportedFormat: what is not one of ``SUPPORTED``.
        UnreadableDocument: damaged files, PDFs without pages or behind a password.
        InvalidParameter: a file has none of the pages asked for.
        PayloadTooLarge: more than ``max_pages`` are to be read, or their pixels will be too many: hundreds
            of pages are not read only to find that out.
    """
    options = options or DocumentOptions()
    if not files:
        raise MalformedRequest("There is no document in the request.")
    readers: list[_PageReader] = []
    places: list[_Place] = []
    try:
        for number, file in enumerate(files, 1):
            with _telling_which(number, file.name, len(files)):
                readers.append(_open(file, limits, options))
                wanted = _wanted(readers[-1].page_count, options)
            places += [_Place(readers[-1], PageOrigin(page, number, file.name)) for page in wanted]
            if len(places) > limits.max_pages:
                raise PayloadTooLarge(f"A document may have {limits.max_pages} pages at most.")
        PixelBudget(limits).check(sum(place.reader.pixels(place.origin.number) for place in places))
    except BaseException:
        OpenDocument(readers, (), limits).close()
        raise
    return OpenDocument(readers, places, limits)


def sniff(data: bytes) -> Format:
    """The format of a document by its first bytes; what the sender calls it does not matter."""
    if not data:
        raise MalformedRequest("The document is empty: it has no bytes.")
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Format.WEBP
    if b"%PDF-" in data[:_PDF_HEADER_WITHIN]:
        return Format.PDF
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        raise UnsupportedFormat(f"HEIF and AVIF are not supported: send {SUPPORTED}.")
    raise UnsupportedFormat(f"The bytes are not a document of a supported format: {SUPPORTED}.")


@contextmanager
def _telling_which(number: int, name: str | None, file_count: int) -> Iterator[None]:
    """Have errors say which file of several they are about."""
    try:
        yield
    except InputError as error:
        if file_count < 2:
            raise
        file = f"File {number} ({name})" if name else f"File {number}"
        raise type(error)(f"{file}: {error.public}") from error


def _open(file: SourceFile, limits: PageLimits, options: DocumentOptions) -> _PageReader:
    kind = sniff(file.data)
    if kind is Format.PDF:
        return PdfFile(file, options, limits)
    last = options.pages.highest(limits.max_pages) if options.pages else limits.max_pages
    return PictureFile(file, kind.value, limits, last)


def _wanted(page_count: int, options: DocumentOptions) -> list[int]:
    numbers = range(1, page_count + 1)
    if options.pages is None:
        return list(numbers)
    wanted = options.pages.among(numbers)
    if not wanted:
        pages = "1 page" if page_count == 1 else f"{page_count} pages"
        raise InvalidParameter(f"pages: none of them is in the document, which has {pages}.")
    return wanted
