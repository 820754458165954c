"""PDF files for tests, made with pikepdf."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pikepdf

LETTERS = b"BT /F1 24 Tf 20 150 Td (Payment order 42) Tj 0 -40 Td (Total due: 1 250) Tj ET"


def pdf_of(
    contents: Sequence[bytes] = (LETTERS,),
    size_pt: tuple[float, float] = (300, 200),
    rotate: int = 0,
    **saving: object,
) -> bytes:
    """A PDF with one page for each content stream; Helvetica is ``/F1``."""
    with pikepdf.Pdf.new() as pdf:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        for content in contents:
            page = pdf.add_blank_page(page_size=size_pt)
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.Contents = pdf.make_stream(content)
            page.Rotate = rotate
        stream = io.BytesIO()
        pdf.save(stream, **saving)
    return stream.getvalue()


def locked(user: str) -> bytes:
    """A PDF that needs the password ``user`` to be opened; an empty one opens for everybody."""
    return pdf_of(encryption=pikepdf.Encryption(owner="owner", user=user))
