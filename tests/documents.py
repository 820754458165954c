"""A document that was read, for tests of what is made of it."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import PIL.ImageDraw

from deployments.errors import StageFailed
from deployments.geometry import quad_from_box
from deployments.types import Kind
from serve_app.pages import SourcePage
from serve_app.render.images import PageImage, page_image
from serve_app.results import DocumentResult, PageOrigin, PageResult, Region

SIZE_PX = (600, 400)
LINES = (
    ("Платёжное поручение № 42", (40, 40, 360, 26), Kind.PRINTED),
    ('Total due: 1 250.00 <&">', (40, 80, 300, 24), Kind.PRINTED),
    ("Иванов получил", (60, 220, 280, 40), Kind.HANDWRITTEN),
)
WORDS = [word for text, _, _ in LINES for word in text.split()]


def page_of_lines(index: int = 0, **origin: object) -> PageResult:
    """Three lines in two paragraphs, one of which has no text because its stage failed."""
    regions = [Region(quad_from_box(box), 0.91, kind, 0.875, text, 0.75, "crnn") for text, box, kind in LINES]
    lost = Region(quad_from_box((60, 300, 200, 30)), 0.5, error=StageFailed("Unread."))
    known = PageOrigin(**{"number": index + 1, "file_name": 'счёт "7".png', "dpi": 150.0, **origin})  # type: ignore[arg-type]
    return PageResult(index, *SIZE_PX, regions=(*regions, lost), origin=known)


def document_of(*pages: PageResult) -> DocumentResult:
    return DocumentResult(pages or (page_of_lines(),), {"detection": 3.0}, {"detection": "yolo"})


def failed_page(index: int = 1) -> PageResult:
    return PageResult(index, *SIZE_PX, error=StageFailed("Lost."), origin=PageOrigin(index + 1))


def picture() -> PIL.Image.Image:
    drawn = PIL.Image.new("RGB", SIZE_PX, "white")
    draw = PIL.ImageDraw.Draw(drawn)
    for _, (x, y, width, height), _ in LINES:
        draw.rectangle((x, y, x + width, y + height), "lightgrey")
    return drawn


def image() -> PageImage:
    return page_image(SourcePage(np.asarray(picture()), PageOrigin(1)))


def jpeg_of(drawn: PIL.Image.Image) -> bytes:
    stream = io.BytesIO()
    drawn.save(stream, "JPEG", quality=90)
    return stream.getvalue()
