"""What the XML formats share: elements, numbers, and text that XML can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from deployments.geometry import quad_bounds
from deployments.types import Points

# The characters of XML 1.0, production [2] Char.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

SOFTWARE = "Scriptorium"


def child(
    parent: Element, tag: str, attributes: Mapping[str, object] | None = None, text: str | None = None
) -> Element:
    """A new last child. Attributes of None are left out."""
    given = (attributes or {}).items()
    element = SubElement(parent, tag, {k: plain(str(v)) for k, v in given if v is not None})
    element.text = None if text is None else plain(text)
    return element


def plain(text: str) -> str:
    """Text with a replacement character for each that XML forbids."""
    return _FORBIDDEN.sub("\ufffd", text)


def serialise(root: Element, doctype: str = "") -> bytes:
    """The document in UTF-8, indented."""
    indent(root)
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}'
    return (head + tostring(root, encoding="unicode") + "\n").encode()


def whole_box(quad: Points) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a quad in whole pixels, none of them negative."""
    x, y, width, height = quad_bounds(quad)
    left, top, right, bottom = (max(0, round(value)) for value in (x, y, x + width, y + height))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def union(boxes: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """The box around boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
