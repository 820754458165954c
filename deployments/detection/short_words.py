"""Words of a letter or two that stand by themselves: a figure in a table, the answer to a question.

On a squeezed page they are a few pixels wide; a network answers to them, but neither surely nor with
a box that fits. Where such a faint box stands on ink that no found line covers, in the row of a line
close by and as high as that line's letters, it becomes the box around that ink.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Widths in heights of the box or word, heights in those of the lines in its row, distances to the next of
# them in heights of the word, which is that of a price from the figure before it across a wide receipt. Only
# the last was chosen by training rows alone.
WIDEST_BOX, WIDEST_WORD = 2.5, 1.5
LEAST_HEIGHT, MOST_HEIGHT = 0.7, 1.25
FARTHEST = 16.0
# Paper that the box keeps around the ink, and the share of a piece of ink that lies in the box's rows.
MARGIN, WITHIN = 0.12, 0.6


def short_words(
    faint: Floats, scores: Floats, found: Floats, ink: Flags, squeeze: float
) -> tuple[Floats, Floats]:
    """Boxes ``float32 (N, 4)`` left, top, right, bottom around short words, the surest first, with scores.

    ``faint`` are boxes with their ``scores`` that were too unsure for a line, ``found`` the boxes of the
    lines, ``ink`` the dark pixels of the network's input ``(H, W)``, its columns squeezed by ``squeeze``.
    """
    height, width = faint[:, 3] - faint[:, 1], (faint[:, 2] - faint[:, 0]) / squeeze
    # Most faint boxes are parts of found lines: their ink is taken, and looking for it would cost the most.
    eligible = np.flatnonzero((width < WIDEST_BOX * height) & ~_within(faint, found))
    boxes: list[Floats] = []
    kept: list[int] = []
    if len(found) and len(eligible):
        pieces = _Pieces(ink, found)
        for index in eligible[np.argsort(-scores[eligible], kind="stable")]:
            word = pieces.around(faint[index])
            if word is None or not _is_word(word, found, squeeze) or any(_touch(word, box) for box in boxes):
                continue
            boxes.append(_with_margin(word, squeeze))
            kept.append(int(index))
    return np.array(boxes, np.float32).reshape(-1, 4), scores[kept]


class _Pieces:
    """Connected pieces of the ink that no found line covers."""

    def __init__(self, ink: Flags, found: Floats) -> None:
        free = ink.astype(np.uint8)
        for left, top, right, bottom in _pixels(found):
            free[top:bottom, left:right] = 0
        _, self._labels, self._boxes, _ = cv2.connectedComponentsWithStats(free, connectivity=8)

    def around(self, box: Floats) -> Floats | None:
        """The bounds of the pieces within a box; None where there is none of a word's size."""
        [(left, top, right, bottom)] = _pixels(box[None])
        labels = np.unique(self._labels[top:bottom, left:right])
        x, y, width, height = self._boxes[labels[labels > 0], :4].T
        inside = np.minimum(y + height, bottom) - np.maximum(y, top) > WITHIN * height
        # Rules, frames and stains are larger than a word could be.
        inside &= (height <= MOST_HEIGHT * (bottom - top)) & (width <= WIDEST_BOX * (bottom - top))
        if not inside.any():
            return None
        ends = (x + width)[inside].max(), (y + height)[inside].max()
        return np.array([x[inside].min(), y[inside].min(), *ends], np.float32)


def _is_word(word: Floats, found: Floats, squeeze: float) -> bool:
    """Whether it is as high as the lines of its row, near one of them, and no wider than two letters."""
    left, top, right, bottom = word
    height = bottom - top
    row = found[(found[:, 1] < (top + bottom) / 2) & (found[:, 3] > (top + bottom) / 2)]
    if not len(row) or right - left > WIDEST_WORD * height * squeeze:
        return False
    line = np.median(row[:, 3] - row[:, 1])
    gap = np.maximum(row[:, 0] - right, left - row[:, 2]).min()
    return bool(LEAST_HEIGHT * line <= height <= MOST_HEIGHT * line and gap <= FARTHEST * height * squeeze)


def _with_margin(word: Floats, squeeze: float) -> Floats:
    margin = MARGIN * (word[3] - word[1])
    return word + np.array([-margin * squeeze, -margin, margin * squeeze, margin], np.float32)


def _within(boxes: Floats, found: Floats) -> Flags:
    """Whose middle lies in a found line."""
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T[..., None]
    left, top, right, bottom = found.T
    return np.asarray(((left < x) & (x < right) & (top < y) & (y < bottom)).any(axis=1))


def _touch(one: Floats, other: Floats) -> bool:
    return bool((np.minimum(one[2:], other[2:]) > np.maximum(one[:2], other[:2])).all())


def _pixels(boxes: Floats) -> npt.NDArray[np.int64]:
    """Boxes in whole pixels, cut off at the input's upper left."""
    return np.clip(boxes.round().astype(np.int64), 0, None)
