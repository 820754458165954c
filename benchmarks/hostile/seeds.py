"""Valid files of every format that is read, small, in the variants that decoders treat apart."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pikepdf
import PIL.Image
import PIL.ImageOps

from deployments.fakes import draw_page

_TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
_LETTERS = b"BT /F1 24 Tf 20 80 Td (Payment order 42) Tj 0 -30 Td (Total due) Tj ET"


def seed_files() -> Mapping[str, bytes]:
    """Files by the name of their variant, each of one page or a few of about 240 x 120 px."""
    page = PIL.Image.fromarray(draw_page((42, 700_001)))
    return {**_jpegs(page), **_pngs(page), **_tiffs(page), **_others(page), **_pdfs(page)}


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture in a format of Pillow's."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def pdf_of(content: bytes, size_pt: tuple[float, float] = (240, 120), pages: int = 1, **saving: Any) -> bytes:
    """A PDF whose pages all have this content; Helvetica is ``/F1``."""
    with pikepdf.Pdf.new() as pdf:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        for _ in range(pages):
            page = pdf.add_blank_page()
            page.MediaBox = [0, 0, *size_pt]
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.Contents = pdf.make_stream(content)
        stream = io.BytesIO()
        pdf.save(stream, **saving)
    return stream.getvalue()


def _jpegs(page: PIL.Image.Image) -> dict[str, bytes]:
    return {
        "jpeg": encoded(page, "JPEG", quality=80),
        "jpeg progressive": encoded(page, "JPEG", quality=60, progressive=True),
        "jpeg grey": encoded(page.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(page.convert("CMYK"), "JPEG"),
        "jpeg turned": encoded(page, "JPEG", exif=_turned()),
    }


def _turned() -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    return exif


def _pngs(page: PIL.Image.Image) -> dict[str, bytes]:
    deep = PIL.Image.fromarray(np.asarray(page.convert("L")).astype(np.uint16) * 257)
    palette = page.quantize(8)
    return {
        "png": encoded(page, "PNG"),
        "png grey": encoded(page.convert("L"), "PNG"),
        "png bits": encoded(page.convert("1"), "PNG"),
        "png 16 bits": encoded(deep, "PNG"),
        "png palette with alpha": encoded(palette, "PNG", transparency=bytes(range(0, 240, 30))),
        "png alpha": encoded(page.convert("RGBA"), "PNG"),
        "png animated": encoded(page, "PNG", save_all=True, append_images=[PIL.ImageOps.mirror(page)]),
    }


def _tiffs(page: PIL.Image.Image) -> dict[str, bytes]:
    several = {"save_all": True, "append_images": [page.convert("L"), page.convert("1")]}
    files = {f"tiff {name}": encoded(page, "TIFF", compression=name) for name in _TIFF_COMPRESSIONS}
    return {
        **files,
        "tiff group4": encoded(page.convert("1"), "TIFF", compression="group4"),
        "tiff cmyk": encoded(page.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "tiff float": encoded(page.convert("F"), "TIFF"),
        "tiff lab": encoded(PIL.Image.new("LAB", (64, 48), (90, 128, 128)), "TIFF"),
        "tiff pages": encoded(page, "TIFF", compression="tiff_lzw", **several),
    }


def _others(page: PIL.Image.Image) -> dict[str, bytes]:
    moving = {"save_all": True, "append_images": [PIL.ImageOps.mirror(page)]}
    return {
        "webp": encoded(page, "WEBP"),
        "webp lossless": encoded(page.convert("RGBA"), "WEBP", lossless=True),
        "webp animated": encoded(page, "WEBP", **moving),
        "bmp": encoded(page, "BMP"),
        "bmp palette": encoded(page.quantize(16), "BMP"),
        "gif": encoded(page, "GIF"),
        "gif animated": encoded(page, "GIF", **moving),
    }


def _pdfs(page: PIL.Image.Image) -> dict[str, bytes]:
    packed = pikepdf.ObjectStreamMode.generate
    open_to_all = pikepdf.Encryption(owner="owner", user="")
    return {
        "pdf text": pdf_of(_LETTERS, compress_streams=False),
        "pdf pages": pdf_of(_LETTERS, pages=3, object_stream_mode=packed),
        "pdf encrypted": pdf_of(_LETTERS, encryption=open_to_all),
        "pdf jpeg": encoded(page, "PDF"),
        "pdf fax": encoded(page.convert("1"), "PDF"),
        "pdf jpeg 2000": _pdf_with_jpx(encoded(page, "JPEG2000")),
    }


def _pdf_with_jpx(data: bytes) -> bytes:
    with pikepdf.Pdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(240, 120))
        image = pdf.make_stream(data, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
        image.Width, image.Height, image.Filter = 240, 120, pikepdf.Name.JPXDecode
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=image))
        page.Contents = pdf.make_stream(b"240 0 0 120 0 0 cm /Im Do")
        stream = io.BytesIO()
        pdf.save(stream)
    return stream.getvalue()
