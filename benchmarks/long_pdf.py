"""A PDF of many scanned pages, no two alike, for watching memory."""

from __future__ import annotations

import io

import numpy as np
import pikepdf
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from deployments.fakes import draw_page
from deployments.types import Image

SIZE_PX = (1240, 1754)
SIZE_PT = (595.0, 842.0)
_QUALITY = 32
_LINES = 22
_WORDS = (
    "account balance payment transfer interest deposit credit received total contract office of and for by"
)


def long_pdf(pages: int, *, bars: bool) -> bytes:
    """A PDF of A4 scans at 150 dpi, each a JPEG: lines of text, or the bars that fake engines read."""
    with pikepdf.Pdf.new() as pdf:
        for number in range(pages):
            rng = np.random.default_rng(number)
            picture = _bars(rng) if bars else _text(rng, number)
            _add_page(pdf, _scan(picture, rng))
        stream = io.BytesIO()
        pdf.save(stream)
    return stream.getvalue()


def _bars(rng: np.random.Generator) -> PIL.Image.Image:
    """Two columns of twenty codes."""
    page = PIL.Image.new("L", SIZE_PX, 255)
    for left_px in (40, 640):
        codes: Image = draw_page(rng.integers(0, 2**20, 20).tolist())
        column = PIL.Image.fromarray(codes).convert("L")
        page.paste(
            column.resize((column.width * 2, column.height * 2), PIL.Image.Resampling.NEAREST), (left_px, 30)
        )
    return page


def _text(rng: np.random.Generator, number: int) -> PIL.Image.Image:
    """A full page of words, with a heading that has its number."""
    page = PIL.Image.new("L", SIZE_PX, 255)
    draw = PIL.ImageDraw.Draw(page)
    draw.text((110, 90), f"Statement No. {number + 1}", 30, PIL.ImageFont.load_default(40))
    font = PIL.ImageFont.load_default(24)
    for row in range(_LINES):
        words = " ".join(rng.choice(_WORDS.split(), 9)) + f" {rng.integers(10, 99999)}"
        draw.text((110, 190 + row * 67), words, 45, font)
    return page


def _scan(page: PIL.Image.Image, rng: np.random.Generator) -> bytes:
    """Uneven light and grain, as a scanner leaves them; JPEG."""
    light = rng.uniform(235, 250) - 18 * np.linspace(0, 1, SIZE_PX[0])[None, :] ** 2
    grain = rng.normal(0, 0.8, (SIZE_PX[1], SIZE_PX[0]))
    pixels = np.clip(np.asarray(page) / 255 * light + grain, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def _add_page(pdf: pikepdf.Pdf, jpeg: bytes) -> None:
    page = pdf.add_blank_page(page_size=SIZE_PT)
    picture = pdf.make_stream(
        jpeg,
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=SIZE_PX[0],
        Height=SIZE_PX[1],
        ColorSpace=pikepdf.Name.DeviceGray,
        BitsPerComponent=8,
        Filter=pikepdf.Name.DCTDecode,
    )
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Scan=picture))
    page.Contents = pdf.make_stream(f"{SIZE_PT[0]} 0 0 {SIZE_PT[1]} 0 0 cm /Scan Do".encode())
