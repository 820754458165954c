"""Regions of a page -> reading order -> text: pure functions over quads.

The page is turned upright first, so everything below works on straight boxes: ``columns`` finds the
order of columns and rows, ``form_rows`` that of labels and answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from serve_app.boxes import Box, same_row, upright, usual_height
from serve_app.columns import rows_in_order
from serve_app.form_rows import with_answers_below
from serve_app.results import Region
from serve_app.rows import Row, rows, usual_pitch

# Shares of the height of a usual line of the page.
_WORD_GAP_MAX = 1.0
_PARAGRAPH_GAP_MIN = 0.75

# What parts paragraphs and columns in text.
_BREAK = "\n\n"


def reading_order(regions: Sequence[Region], skew_deg: float = 0.0, one_block: bool = False) -> list[Region]:
    """The regions in the order a person reads them.

    ``skew_deg`` is as in :class:`deployments.types.PageLines`. With ``one_block`` the page is a
    single block of text: rows are read across and no columns are looked for. Lines turned by a
    quarter or more against most of the page (a note along the margin) come last.
    """
    by_turn: dict[int, list[Box]] = {}
    for box, turn in zip(*upright(regions, skew_deg), strict=True):
        by_turn.setdefault(turn, []).append(box)
    parts = sorted(by_turn.values(), key=lambda boxes: -sum(box.width for box in boxes))
    return [regions[box.index] for part in parts for row in _rows_of_page(part, one_block) for box in row]


def _rows_of_page(boxes: Sequence[Box], one_block: bool) -> list[Row]:
    height_px = usual_height(boxes)
    if one_block:
        return rows(boxes, height_px)
    return with_answers_below(rows_in_order(boxes, height_px), height_px)


def page_text(regions: Sequence[Region], skew_deg: float = 0.0) -> str:
    """The text of regions that are in reading order already.

    Pieces of one row are joined by a space, or by a tab where the gap between them is wide; rows by
    a line break; paragraphs and columns by an empty line. Regions without text are left out.
    """
    read = [region for region in regions if region.text]
    joints = _joints(read, skew_deg)
    return "".join(f"{joint}{region.text}" for joint, region in zip(joints, read, strict=True))


def paragraphs(regions: Sequence[Region], skew_deg: float = 0.0) -> list[list[Region]]:
    """Regions in reading order as the paragraphs that :func:`page_text` parts by empty lines."""
    read = [region for region in regions if region.text]
    groups: list[list[Region]] = []
    for joint, region in zip(_joints(read, skew_deg), read, strict=True):
        if joint == _BREAK or not groups:
            groups.append([])
        groups[-1].append(region)
    return groups


def _joints(read: Sequence[Region], skew_deg: float) -> list[str]:
    """What stands before the text of each region: nothing before the first."""
    if not read:
        return []
    boxes, turns = upright(read, skew_deg)
    height_px = usual_height(boxes)
    pitch_px = usual_step_px = usual_pitch(boxes, height_px)
    joints = [""]
    column_left = -math.inf
    for i in range(1, len(read)):
        before, after = boxes[i - 1], boxes[i]
        if turns[i] != turns[i - 1]:
            joints.append(_BREAK)
        elif same_row(before, after, height_px) and after.left > before.left:
            joints.append("\t" if after.left - before.right > _WORD_GAP_MAX * height_px else " ")
        else:
            step_px = after.centre_y - before.centre_y
            # A column, or a field of a form, ends where what comes next stands left of it.
            is_break = _is_break(step_px, pitch_px, height_px) or after.right < column_left
            joints.append(_BREAK if is_break else "\n")
            if step_px < -0.5 * height_px:
                column_left = after.left
            elif after.right < column_left:
                column_left = -math.inf
            # Forms are set wider than the paragraphs between them: the last step counts as well.
            pitch_px = min(step_px, usual_step_px) if step_px > 0.5 * height_px else usual_step_px
    return joints


def _is_break(step_px: float, pitch_px: float, height_px: float) -> bool:
    """Whether a step down to the next row starts a paragraph, or a step up a column."""
    return step_px > pitch_px + _PARAGRAPH_GAP_MIN * height_px or step_px < -0.5 * height_px
