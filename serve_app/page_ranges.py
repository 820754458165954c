"""Page ranges as people write them: ``1-3,7,12-``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_RANGE = re.compile(r"(\d{1,9})(-(\d{1,9})?)?", re.ASCII)
_MAX_RANGES = 100

PATTERN = r"^\s*\d{1,9}(-(\d{1,9})?)?(\s*,\s*\d{1,9}(-(\d{1,9})?)?)*\s*$"


@dataclass(frozen=True, slots=True)
class PageRanges:
    """Ranges of page numbers, from 1, both ends included; a last page of None is the document's."""

    ranges: tuple[tuple[int, int | None], ...]

    def __contains__(self, number: int) -> bool:
        return any(first <= number and (last is None or number <= last) for first, last in self.ranges)

    def highest(self, max_pages: int) -> int:
        """The last page that may be read, where ``max_pages`` are at most: so many of an open range."""
        return max(first + max_pages - 1 if last is None else last for first, last in self.ranges)

    def among(self, numbers: Iterable[int]) -> list[int]:
        """Those of ``numbers`` that are asked for, in their order."""
        return [number for number in numbers if number in self]


def parse_ranges(text: str) -> PageRanges:
    """Ranges from their text. Raises ValueError that says what is wrong."""
    parts = text.split(",")
    if len(parts) > _MAX_RANGES:
        raise ValueError(f"there may be {_MAX_RANGES} ranges at most")
    return PageRanges(tuple(_parse_range(part.strip()) for part in parts))


def _parse_range(text: str) -> tuple[int, int | None]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no page and no range of pages: write 1-3,7")
    first = int(match[1])
    last = first if match[2] is None else None if match[3] is None else int(match[3])
    if first < 1:
        raise ValueError("pages are counted from 1")
    if last is not None and last < first:
        raise ValueError(f"the range {text!r} ends before it starts")
    return first, last
