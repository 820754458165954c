"""PDF -> pages, by pdfium: one page at a time, in colours on white, forms and annotations included.

pdfium may be entered by one thread at a time: every call stands under one lock, for a single page
at most, so that documents take turns. Objects are closed under it too, not by the garbage collector.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.internal
import pypdfium2.raw as pdfium

from deployments.errors import InputError, PayloadTooLarge, UnreadableDocument
from deployments.types import Image
from serve_app.pages import DocumentOptions, PageLimits, SourceFile, SourcePage, TextLayer, check_size
from serve_app.pdf_text import text_regions
from serve_app.results import PageOrigin, Region

POINTS_PER_INCH = 72.0

_TURN = threading.Lock()


class PdfFile:
    """The pages of a PDF.

    Raises, here and from ``read``:
        UnreadableDocument: not a PDF after all, damaged, without pages, or locked by a password.
        PayloadTooLarge: a page over the limits at the resolution asked for, or too slow to draw.
    """

    def __init__(self, file: SourceFile, options: DocumentOptions, limits: PageLimits) -> None:
        self._options = options
        self._limits = limits
        with _errors(), _TURN:
            # For a document without pages pdfium leaves its last error as it was: make it a known one.
            pdfium.FPDF_LoadMemDocument64(b"", 0, None)
            self._pdf = pypdfium2.PdfDocument(file.data)
            self.page_count = len(self._pdf)
            self._pdf.init_forms()

    def read(self, number: int, origin: PageOrigin) -> SourcePage:
        """Page ``number``, from 1, drawn at the resolution asked for."""
        dpi = self._options.dpi
        with _errors(number), _TURN, closing(self._pdf[number - 1]) as page:
            if not all(page.get_size()):
                # A crop box that lies beside the page crops nothing.
                page.set_cropbox(*page.get_mediabox())
            size = _size_px(page, dpi)
            check_size(size, self._limits, " Ask for a lower dpi.")
            regions = self._text_layer(page, size)
            image = _draw(page, size, self._limits.max_render_s, self._pdf.formenv)
        origin = PageOrigin(origin.number, origin.file, origin.file_name, float(dpi))
        return SourcePage(image, origin, regions)

    def pixels(self, number: int) -> float:
        """How many page ``number``, from 1, will have; 0 where the file does not say."""
        try:
            with _TURN:
                points = math.prod(self._pdf.get_page_size(number - 1))
        except pypdfium2.PdfiumError:
            return 0.0
        return points * (self._options.dpi / POINTS_PER_INCH) ** 2 if math.isfinite(points) else 0.0

    def close(self) -> None:
        """Free the file."""
        with _TURN:
            self._pdf.close()

    def _text_layer(self, page: Any, size: tuple[int, int]) -> tuple[Region, ...] | None:
        if self._options.text_layer is TextLayer.IGNORE:
            return None
        return text_regions(page, size) or None


def _size_px(page: Any, dpi: float) -> tuple[int, int]:
    width, height = (side * dpi / POINTS_PER_INCH for side in page.get_size())
    if not (math.isfinite(width) and math.isfinite(height)):
        raise UnreadableDocument("A page of the PDF has no size.")
    return max(1, round(width)), max(1, round(height))


def _draw(page: Any, size: tuple[int, int], limit_s: float, forms: Any) -> Image:
    """The page as ``uint8 (H, W, 3)``, RGB. Raises PayloadTooLarge once ``limit_s`` has passed."""
    width, height = size
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_BGR, rev_byteorder=True)
    with closing(bitmap):
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        where = (bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER)
        ends_s = time.monotonic() + limit_s
        pause = pdfium.IFSDK_PAUSE(version=1)
        pypdfium2.internal.set_callback(pause, "NeedToPauseNow", lambda _: time.monotonic() > ends_s)
        status = pdfium.FPDF_RenderPageBitmap_Start(*where, pause)
        pdfium.FPDF_RenderPage_Close(page)
        if status == pdfium.FPDF_RENDER_TOBECONTINUED:
            raise PayloadTooLarge(f"The page takes longer than {limit_s:g} s to draw.")
        if status != pdfium.FPDF_RENDER_DONE:
            raise UnreadableDocument("The page cannot be drawn.")
        if forms:
            pdfium.FPDF_FFLDraw(forms, *where)
        # The array owns its buffer: it outlives the bitmap.
        return np.asarray(bitmap.to_numpy())


@contextmanager
def _errors(number: int | None = None) -> Iterator[None]:
    damage = "The PDF is damaged, cut short or without pages."
    if number is not None:
        damage = f"Page {number} of the PDF is damaged."
    try:
        yield
    except InputError as error:
        if number is None:
            raise
        raise type(error)(f"Page {number}: {error.public}") from error
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise UnreadableDocument(
                "The PDF is encrypted and needs a password: send it without one."
            ) from error
        raise UnreadableDocument(damage) from error
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableDocument(damage) from error
