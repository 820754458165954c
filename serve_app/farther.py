"""A look from farther off, at pages that show hardly more than a few large words.

Detectors learn from pages: a word that fills a picture, the photograph of a note, or one field cut out
of a form reaches them with letters larger than any they know, and often nothing is found. Shown small
it looks like a line of a page. See docs/decisions/0029.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deployments.detection.resample import resize
from deployments.geometry import clip_quad, quad_size
from deployments.restoring import has_ink
from deployments.types import Image, PageLines, TextLine
from serve_app.closer import Detect

# A line higher than this share of a page's longer side is large, and others may have been overlooked.
LARGE = 0.1
# Longer sides in pixels of what is shown: detectors enlarge small pictures, but not as far as large ones.
FAR_PX = (200, 100)
# From farther off ends and slopes of lines are seen less exactly: so many times more of them must be seen.
MORE = 1.4


async def look_farther(page: Image, found: PageLines, detect: Detect) -> PageLines:
    """The lines of a page on which ``found`` was found, or those that are seen more surely from farther off.

    ``detect`` takes pictures and answers located lines; it is called once, or not at all where lines
    were found and none is large, or nothing stands out of the paper. Raises what it raises; a look that
    fails shows nothing.
    """
    looks = await asyncio.to_thread(_from_farther, page, found.lines)
    if not looks:
        return found
    answers = await detect(looks)
    seen = [
        _enlarged(answer, shown, page)
        for shown, answer in zip(looks, answers, strict=True)
        if isinstance(answer, PageLines)
    ]
    best = max(seen, key=_length, default=found)
    return best if _length(best) > MORE * _length(found) else found


def _from_farther(page: Image, lines: Sequence[TextLine]) -> list[Image]:
    """The page reduced; nothing where it was seen well, or is blank."""
    height_px, width_px = page.shape[:2]
    longer_px = max(height_px, width_px)
    are_small = all(quad_size(line.quad)[1] <= LARGE * longer_px for line in lines)
    is_seen_well = are_small if lines else not has_ink(page)
    if is_seen_well:
        return []
    scales = [far_px / longer_px for far_px in FAR_PX if far_px < longer_px]
    sizes_px = [(max(1, round(width_px * scale)), max(1, round(height_px * scale))) for scale in scales]
    return [resize(page, *size_px) for size_px in sizes_px]


def _enlarged(seen: PageLines, shown: Image, page: Image) -> PageLines:
    """What was found in a reduced page, where it lies on the page."""
    height_px, width_px = page.shape[:2]
    # Each side was rounded by itself.
    scale = np.array([width_px / shown.shape[1], height_px / shown.shape[0]], np.float32)
    lines = (replace(line, quad=clip_quad(line.quad * scale, width_px, height_px)) for line in seen.lines)
    return replace(seen, lines=tuple(lines))


def _length(seen: PageLines) -> float:
    """Length in pixels of the lines that were seen, each as much as it is sure."""
    return sum(line.score * quad_size(line.quad)[0] for line in seen.lines)
