"""Images as the bytes of a file."""

from __future__ import annotations

import io
from typing import Any

import PIL.Image


def encoded(image: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
