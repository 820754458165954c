"""Pages laid out by hand, for tests of the order in which they are read."""

from __future__ import annotations

import random
import textwrap

from deployments.geometry import quad_from_box
from deployments.types import Kind
from serve_app.assembly import page_text, reading_order
from serve_app.results import Region

HEIGHT_PX = 20.0
LETTER_PX = 9.5

RUSSIAN = (
    "Настоящий договор вступает в силу с момента его подписания обеими сторонами и действует до полного "
    "исполнения обязательств. Исполнитель обязуется оказать услуги в срок, указанный в приложении, а "
    "заказчик обязуется принять их и оплатить. "
)
ENGLISH = (
    "This agreement enters into force upon its signature by both parties and remains in effect until all "
    "obligations have been performed. The contractor shall render the services within the term given in "
    "the annex, and the customer shall accept them and pay. "
)


def line(
    text: str,
    x: float,
    y: float,
    width: float | None = None,
    height: float = HEIGHT_PX,
    kind: Kind | None = None,
) -> Region:
    """A line of text; as wide as its letters where nothing else is said."""
    width = LETTER_PX * len(text) if width is None else width
    return Region(quad_from_box((x, y, width, height)), 1.0, kind, text=text)


def printed(text: str, x: float, y: float) -> Region:
    return line(text, x, y, kind=Kind.PRINTED)


def written(text: str, x: float, y: float) -> Region:
    """A line of handwriting, larger than print."""
    return line(text, x, y, 14 * len(text), 34, Kind.HANDWRITTEN)


def wrapped(text: str, letters: int, count: int, start: int = 0) -> list[str]:
    """``count`` lines of a text that goes on and on, cut at ``letters`` letters, from line ``start`` on."""
    return textwrap.wrap(text * (2 + (start + count) * letters // len(text)), letters)[start : start + count]


def column(texts: list[str], x: float, y: float, pitch: float = 26) -> list[Region]:
    """Lines one beneath the other, as long as their texts: ragged on the right."""
    return [line(text, x, y + pitch * i) for i, text in enumerate(texts)]


def grid(rows: list[tuple[str, ...]], lefts: tuple[float, ...], y: float, pitch: float = 32) -> list[Region]:
    """The cells of a table."""
    return [
        line(text, x, y + pitch * i) for i, row in enumerate(rows) for text, x in zip(row, lefts, strict=True)
    ]


def read(regions: list[Region], skew_deg: float = 0.0, seed: int = 1) -> str:
    """The text of a page whose regions come in any order."""
    shuffled = random.Random(seed).sample(regions, len(regions))
    return page_text(reading_order(shuffled, skew_deg), skew_deg)


def text_of(*blocks: list[str]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks)


def table_text(rows: list[tuple[str, ...]]) -> str:
    return "\n".join("\t".join(row) for row in rows)
