"""Whether boxes are running text, told by what their lines say or by how long they are: pure functions.

``height_px`` is the height of a usual line of the page everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from serve_app.boxes import Box
from serve_app.rows import Row, rows

# Fewer lines than these are a heading, an address or a cell.
LINES_MIN = 3

# Prose goes on from line to line, and most lines begin within a sentence. The share, by length, of those
# that begin with a small letter is 0.5 and more in books, less where names and dialogue abound.
_SMALL_MIN = 0.3
# Tables of words in small letters have short cells, in heights of a line: at 3 some are taken for prose,
# at 4.5 narrow columns no longer are.
_PIECE_LENGTH_MIN = 3.8
# Where cells are longer, marks after words tell: one line in twenty has some in any prose.
_MARKED_MIN = 0.05
_MARK = re.compile(r"[^\W\d_][.,:;!?…]")

# Lines of a column, by their lengths alone: long ones, most of which reach its end.
_LINE_LENGTH_MIN = 7.0
_LINE_FILL_MIN = 0.7
_FULL_SHARE_MIN = 0.5


def is_prose(boxes: Sequence[Box], height_px: float) -> bool:
    """Whether the texts of boxes go on from line to line; False in scripts without small letters."""
    if len(boxes) < LINES_MIN or median([box.width for box in boxes]) < _PIECE_LENGTH_MIN * height_px:
        return False
    if sum(bool(_MARK.search(box.text or "")) for box in boxes) < _MARKED_MIN * len(boxes):
        return False
    found = rows(boxes, height_px)
    return len(found) >= LINES_MIN and small_share(found) >= _SMALL_MIN


def is_set_as_prose(found: Sequence[Row], height_px: float) -> bool:
    """Whether rows are as long as lines of running text, whatever they say."""
    if len(found) < LINES_MIN:
        return False
    lengths = [_length(row) for row in found]
    boxes = [box for row in found for box in row]
    side_px = max(box.right for box in boxes) - min(box.left for box in boxes)
    full = sum(length >= _LINE_FILL_MIN * side_px for length in lengths) / len(lengths)
    return median(lengths) >= _LINE_LENGTH_MIN * height_px and full >= _FULL_SHARE_MIN


def small_share(found: Sequence[Row]) -> float:
    """Share of the rows, by length, that go on from the one before: they begin with a small letter."""
    small = sum(_length(row) for row in found[1:] if (row[0].text or "")[:1].islower())
    return small / max(sum(map(_length, found)), 1.0)


def _length(row: Row) -> float:
    return sum(box.width for box in row)
