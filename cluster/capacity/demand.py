"""The load that is to be carried: documents a second, and what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PART = re.compile(r"(?P<name>[\w-]+)=(?P<share>[\d.]+):(?P<pages>[\d.]+)x(?P<lines>[\d.]+)")


@dataclass(frozen=True, slots=True)
class Documents:
    """A kind of document: its share of all documents, its pages, and the lines of each of them."""

    name: str
    share: float
    pages: float
    lines_per_page: float


@dataclass(frozen=True, slots=True)
class Demand:
    """The load: the peak, not the mean. ``pages_per_document`` is 1 where only pages are known."""

    pages_per_s: float
    lines_per_page: float
    pages_per_document: float = 1.0


def parse_mix(text: str) -> list[Documents]:
    """``letter=0.7:1x25,contract=0.3:12x45``: name, share of documents, pages, lines a page.

    Raises ValueError for anything else.
    """
    found = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"--mix: {part.strip()!r} is not NAME=SHARE:PAGESxLINES")
        documents = Documents(
            match["name"], *(_number(part.strip(), match[name]) for name in ("share", "pages", "lines"))
        )
        if min(documents.share, documents.pages, documents.lines_per_page) <= 0:
            raise ValueError(f"--mix: {documents.name} has a number that is not above 0")
        found.append(documents)
    return found


def _number(part: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--mix: {text!r} in {part!r} is no number") from None


def demand_of_mix(documents_per_s: float, mix: Sequence[Documents]) -> Demand:
    """Pages a second of a mix, and the lines of the mean page; shares need not add up to 1."""
    all_shares = sum(each.share for each in mix)
    pages = sum(each.share * each.pages for each in mix) / all_shares
    lines = sum(each.share * each.pages * each.lines_per_page for each in mix) / all_shares
    return Demand(documents_per_s * pages, lines / pages, pages)
