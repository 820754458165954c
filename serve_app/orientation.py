"""Which way up a page is, told from how surely it reads.

Detection lays a page so that its lines are level; a page on its head looks to it like any other.
Reading does tell: a page that reads badly has a few of its lines read upside down as well, and if
they read better that way, so does the page. A page that reads well costs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from deployments.errors import Outcome
from deployments.geometry import quad_size
from deployments.types import Image, Points, Reading, TextLine
from serve_app.boxes import quarter_turns
from serve_app.results import Orientation, Region

# A page whose lines read with less confidence than this, on average, is looked at again.
UNSURE_CONFIDENCE = 0.75
# By how much the lines must read more surely the other way up.
SURER_BY = 0.1
MAX_PROBES = 8
# Lines of about so many heights are read first: a few words tell as much as a long line, and cost less.
PROBE_LENGTH_HEIGHTS = 10.0
# On a page that lies right the first few read so much worse that no more is needed.
FIRST_PROBES = 2
WORSE_BY = 0.1
# A line of few letters reads as something either way up: "о", "н", "0", "96".
MIN_LENGTH_HEIGHTS = 2.5
# From quarters turned counter-clockwise to degrees turned clockwise.
_CLOCKWISE: tuple[Orientation, ...] = (0, 270, 180, 90)


async def is_on_its_head(
    regions: Sequence[Region], read: Callable[[list[Points]], Awaitable[list[Outcome[Reading]]]]
) -> bool:
    """Whether a page that was read as ``regions`` lies upside down; ``read`` reads lines along quads."""
    probed = [regions[i] for i in lines_to_probe(regions)]
    turned: list[Outcome[Reading]] = []
    for some in (probed[:FIRST_PROBES], probed[FIRST_PROBES:]):
        if not some or reads_worse_upside_down(probed[: len(turned)], turned):
            break
        turned += await read([upside_down(region.quad) for region in some])
    return reads_better_upside_down(probed[: len(turned)], turned)


def lines_to_probe(regions: Sequence[Region]) -> list[int]:
    """Indices of the lines to read upside down, those of a few words first; none where the page reads well.

    Lines that could not be read at all say nothing about the page.
    """
    sizes = {i: quad_size(each.quad) for i, each in enumerate(regions) if each.confidence is not None}
    lengths = {i: width / height for i, (width, height) in sizes.items()}
    lengths = {i: heights for i, heights in lengths.items() if heights >= MIN_LENGTH_HEIGHTS}
    if not lengths:
        return []
    confidences = [regions[i].confidence or 0.0 for i in lengths]
    if float(np.average(confidences, weights=[sizes[i][0] for i in lengths])) >= UNSURE_CONFIDENCE:
        return []
    return sorted(lengths, key=lambda i: abs(lengths[i] - PROBE_LENGTH_HEIGHTS))[:MAX_PROBES]


def reads_better_upside_down(as_read: Sequence[Region], turned: Sequence[Outcome[Reading]]) -> bool:
    """Whether the same lines, read upside down, are surer on average; a failed reading is no reading."""
    return bool(turned) and _gain(as_read, turned) > SURER_BY


def reads_worse_upside_down(as_read: Sequence[Region], turned: Sequence[Outcome[Reading]]) -> bool:
    """Whether the same lines, read upside down, are so much less sure that the others need not be read."""
    return bool(turned) and _gain(as_read, turned) < -WORSE_BY


def _gain(as_read: Sequence[Region], turned: Sequence[Outcome[Reading]]) -> float:
    before = [region.confidence or 0.0 for region in as_read]
    after = [reading.confidence if isinstance(reading, Reading) else 0.0 for reading in turned]
    return float(np.mean(after)) - float(np.mean(before))


def upside_down(quad: Points) -> Points:
    """The same quad, read the other way: from its bottom right corner on."""
    return np.ascontiguousarray(np.roll(quad, 2, axis=0))


def turned_page(page: Image) -> Image:
    """The page laid on its head."""
    return np.ascontiguousarray(page[::-1, ::-1])


def turned_back(lines: Sequence[TextLine], page: Image) -> tuple[TextLine, ...]:
    """Where lines of :func:`turned_page` lie on the page itself; they are read from right to left there."""
    far_corner = np.array([page.shape[1], page.shape[0]], np.float32)
    return tuple(TextLine(far_corner - line.quad, line.score) for line in lines)


def orientation_deg(regions: Sequence[Region], skew_deg: float) -> Orientation:
    """How far the text is turned clockwise from reading level: 0, 90, 180 or 270, by most of its length."""
    length = dict.fromkeys(range(4), 0.0)
    for region in regions:
        length[quarter_turns(region.quad, skew_deg)] += quad_size(region.quad)[0]
    counter_clockwise = max(length, key=lambda turns: length[turns])
    return _CLOCKWISE[counter_clockwise]
