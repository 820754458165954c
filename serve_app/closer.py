"""A closer look at pages whose letters are too small for the detector, in parts that show them larger.

A detector sees every page at the same size. A receipt on the glass of a scanner for A4, a page
photographed from afar, a spread of a book or a newspaper reach it with letters too small to tell
lines apart. What was found tells where to look again: at the part that holds the lines, and where that
is large itself, at its halves. See docs/decisions/0025.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf

import numpy as np
import numpy.typing as npt

from deployments.errors import Outcome
from deployments.geometry import quad_bounds
from deployments.types import Image, PageLines, Points, TextLine
from serve_app.seams import mended

# Shares of a page's longer side: lines lower than the first are small, the second is as high as they
# are wanted.
SMALL, COMFORTABLE = 1 / 80, 1 / 50
# Halves cost as much again as the page: they are for lines lower than this.
TINY = 1 / 100
# How many times larger than before a part has to come out.
LEAST_GAIN = 1.25
# Paper around the lines of a part, in heights of a line: what was overlooked stands beside what was found.
MARGIN_HEIGHTS = 6.0
# How often what is looked at is halved at most, from one look to the next.
HALVINGS = 2
# Where it is cut, between these shares of its length.
CUT_FROM, CUT_TO = 0.3, 0.7

Detect = Callable[[list[Image]], Awaitable[list[Outcome[PageLines]]]]
Quads = npt.NDArray[np.float32]
"""Lines at once: ``(N, 4, 2)``."""
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page to look at by itself.

    ``left``, ``top``, ``right`` and ``bottom`` are whole pixels. The lines whose middle lies within
    ``across`` and ``down`` are its own; others that it shows are its neighbour's.
    """

    left: int
    top: int
    right: int
    bottom: int
    across: Span = (-inf, inf)
    down: Span = (-inf, inf)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom

    @property
    def longer_px(self) -> int:
        """Its longer side."""
        return max(self.right - self.left, self.bottom - self.top)

    def of(self, page: Image) -> Image:
        """Its pixels: a view of the page, for large pages are not copied lightly."""
        return page[self.top : self.bottom, self.left : self.right]

    def own(self, seen: PageLines) -> PageLines:
        """What was found in its pixels, where it lies on the page."""
        corner = np.array([self.left, self.top], np.float32)
        moved = (TextLine(line.quad + corner, line.score) for line in seen.lines)
        return PageLines(tuple(line for line in moved if self._owns(line.quad)), seen.skew_deg)

    def _owns(self, quad: Points) -> bool:
        x, y = quad.mean(axis=0)
        return bool(self.across[0] <= x < self.across[1] and self.down[0] <= y < self.down[1])


@dataclass(frozen=True, slots=True)
class _Look:
    """A part that was looked at, and its own lines."""

    part: Part
    found: PageLines


async def look_closer(
    page: Image, found: PageLines, detect: Detect, times: int, most_lines: int
) -> PageLines:
    """The lines of a page on which ``found`` was found, after at most so many further looks.

    Args:
        detect: pictures -> located lines; called once a look, with all parts of the page to look at.
        most_lines: are kept, the surest; what was found at first is never cut.

    Raises what ``detect`` raises. A part that fails, or shows fewer lines than before, stays as it was.
    """
    height_px, width_px = page.shape[:2]
    done, looks = [], [_Look(Part(0, 0, width_px, height_px), found)]
    for _ in range(times):
        wanted = [parts_to_look_at(look.part, look.found.lines) for look in looks]
        crops = [part.of(page) for parts in wanted for part in parts]
        if not crops:
            break
        seen = iter(await detect(crops))
        further = []
        for look, parts in zip(looks, wanted, strict=True):
            closer = _seen_closer(look, parts, [next(seen) for _ in parts])
            further += closer
            done += [] if closer else [look]
        looks = further
    looks = done + looks
    if len(looks) == 1 and looks[0].found is found:
        return found
    whole = mended([(look.part.bounds, look.found.lines) for look in looks])
    lines = sorted(whole, key=lambda line: -line.score)
    skews = np.repeat([look.found.skew_deg for look in looks], [len(look.found.lines) for look in looks])
    return PageLines(tuple(lines[: max(most_lines, len(found.lines))]), float(np.median(skews)))


def parts_to_look_at(whole: Part, lines: Sequence[TextLine]) -> list[Part]:
    """Parts of what was looked at in which its lines come out larger; none where it does well."""
    if not lines:
        return []
    quads = np.stack([line.quad for line in lines])
    if _line_px(quads) >= SMALL * whole.longer_px:
        return []
    part = _around(quads, whole)
    if part.longer_px * LEAST_GAIN > whole.longer_px:
        part = whole
    parts = _halved(part, quads, HALVINGS)
    return [] if parts == [whole] else parts


def _seen_closer(look: _Look, parts: Sequence[Part], seen: Sequence[Outcome[PageLines]]) -> list[_Look]:
    """The looks in the place of one; none where they do not show more."""
    closer = [
        _Look(part, part.own(each))
        for part, each in zip(parts, seen, strict=True)
        if isinstance(each, PageLines)
    ]
    if len(closer) < len(parts) or sum(len(each.found.lines) for each in closer) < len(look.found.lines):
        return []
    return closer


def _line_px(quads: Quads) -> float:
    """The usual height of lines: as ``quad_size`` measures it, of all at once."""
    down = quads[:, [3, 2]] - quads[:, [0, 1]]
    return float(np.median(np.hypot(down[..., 0], down[..., 1]).mean(axis=1)))


def _around(quads: Quads, whole: Part) -> Part:
    """The part of the whole page around some lines, with paper beside them."""
    line_px = _line_px(quads)
    left, top, width, height = quad_bounds(quads.reshape(-1, 2))
    # Not so close that letters come out larger than on an ordinary page.
    margin = max(MARGIN_HEIGHTS * line_px, (line_px / COMFORTABLE - max(width, height)) / 2)
    return Part(
        max(whole.left, floor(left - margin)),
        max(whole.top, floor(top - margin)),
        min(whole.right, ceil(left + width + margin)),
        min(whole.bottom, ceil(top + height + margin)),
        whole.across,
        whole.down,
    )


def _halved(part: Part, quads: Quads, times: int) -> list[Part]:
    """``part``, which holds ``quads``, or what it is cut into where its lines are tiny."""
    if not times or _line_px(quads) >= TINY * part.longer_px:
        return [part]
    is_wide = part.right - part.left >= part.bottom - part.top
    for axis in (0, 1) if is_wide else (1, 0):
        cut = _cut(part, quads, axis)
        is_before = quads[..., axis].mean(axis=1) < cut
        before, after = quads[is_before], quads[~is_before]
        if not len(before) or not len(after):
            continue
        first, second = _halves(part, axis, cut, before, after)
        halves = _halved(first, before, times - 1) + _halved(second, after, times - 1)
        # Halves of a square are as long as it is, and their halves are not.
        if max(half.longer_px for half in halves) * LEAST_GAIN <= part.longer_px:
            return halves
    return [part]


def _cut(part: Part, quads: Quads, axis: int) -> float:
    """Where the fewest lines run across a cut of ``axis`` (0 for x, 1 for y), near the part's middle."""
    first, last = ((part.left, part.right), (part.top, part.bottom))[axis]
    places = first + np.linspace(CUT_FROM, CUT_TO, 81) * (last - first)
    along = quads[..., axis]
    crossing = ((along.min(axis=1)[:, None] < places) & (along.max(axis=1)[:, None] > places)).sum(axis=0)
    fewest = places[crossing == crossing.min()]
    return float(fewest[np.abs(fewest - (first + last) / 2).argmin()])


def _halves(part: Part, axis: int, cut: float, before: Quads, after: Quads) -> tuple[Part, Part]:
    """Both halves of a part, each with the whole of its own lines and some paper beyond the cut."""
    margin = MARGIN_HEIGHTS * _line_px(np.concatenate([before, after]))
    until = ceil(max(cut, before[..., axis].max()) + margin)
    since = floor(min(cut, after[..., axis].min()) - margin)
    if axis == 0:
        (first, last), until, since = part.across, min(part.right, until), max(part.left, since)
        return replace(part, right=until, across=(first, cut)), replace(part, left=since, across=(cut, last))
    (first, last), until, since = part.down, min(part.bottom, until), max(part.top, since)
    return replace(part, bottom=until, down=(first, cut)), replace(part, top=since, down=(cut, last))
