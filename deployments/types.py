"""What crosses process boundaries: frozen dataclasses of arrays and primitives.

Array conventions, stated once for the whole project:

* An image is ``uint8``, shape ``(H, W, 3)``, RGB, C-contiguous. Arrays that arrive through
  Ray are read-only: never write into one.
* A point is ``(x, y)`` in pixels, origin at the top left corner of the image, y down. Pixel
  centres lie at half-integers, so an image of width ``W`` spans ``0 <= x <= W``.
* A quad is ``float32``, shape ``(4, 2)``: top-left, top-right, bottom-right, bottom-left **as
  the text is read**, so the first edge runs along the baseline whatever the rotation.
* A probability is a Python float in ``[0, 1]``.

Letters used in docstrings: N items, H and W pixels, T time steps, V symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]


class Kind(StrEnum):
    """How a line was put on paper. Typewriting counts as printed."""

    HANDWRITTEN = "handwritten"
    PRINTED = "printed"


@dataclass(frozen=True, slots=True)
class TextLine:
    """One located line of text, in pixels of the page the detector was given."""

    quad: Points
    score: float


@dataclass(frozen=True, slots=True)
class PageLines:
    """What detection says of one page.

    ``skew_deg`` is the angle of the text's baselines: positive when lines rise to the right
    (the page was turned counter-clockwise), 0 for a straight page. The quads already follow it.
    """

    lines: tuple[TextLine, ...]
    skew_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class KindScore:
    """Handwritten or printed, with the probability of the kind that was chosen."""

    kind: Kind
    confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one line.

    ``confidence`` is the probability of the whole reading: the geometric mean over its
    characters, 0 for an empty reading. ``char_confidences`` has one entry a character of
    ``text`` where the engine can give them, else it is empty.

    ``char_spans`` says where each character of ``text`` stands along the line: its left and right
    edge as fractions of the crop's width, ``0 <= left <= right <= 1``, from left to right and
    without overlap. Empty where the engine cannot tell.
    """

    text: str
    confidence: float
    char_confidences: tuple[float, ...] = field(default=())
    char_spans: tuple[tuple[float, float], ...] = field(default=())
