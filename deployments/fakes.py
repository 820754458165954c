"""Deterministic engines without weights, for smoke, load and failure tests.

They do real work on pixels: ``draw_page`` draws numbers as bar codes in two inks, and the three
engines find the codes, tell their ink and read the numbers, so a mixed-up answer is seen at once.
Selected like any engine (``engine: fake``); ``FakeBehaviour`` gives them a cost and faults.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from deployments.engine import Prepared
from deployments.errors import Outcome, UnreadableDocument
from deployments.geometry import quad_from_box
from deployments.types import Image, Kind, KindScore, PageLines, Reading, TextLine

BITS = 20
CELL_PX = 8
FRAME_PX = 4
LINE_PX = 24
PITCH_PX = 40
CODE_WIDTH_PX = BITS * CELL_PX + 2 * FRAME_PX
INK = {Kind.PRINTED: (0, 0, 0), Kind.HANDWRITTEN: (0, 0, 200)}


Fault = Literal["raises", "crashes", "hangs", "too few", "nan", "out of memory"]
"""How a model may go wrong; ``out of memory`` befalls batches, a single item fits."""

_FOR_EVER_S = 10.0**6


class FakeBehaviour(BaseModel):
    """What a fake engine costs and how it fails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_ms: float = Field(0.0, ge=0, description="cost of any model step, milliseconds")
    item_ms: float = Field(0.0, ge=0, description="cost of each item in a step, milliseconds")
    megapixel_ms: float = Field(
        0.0, ge=0, description="cost of a million pixels in a step, milliseconds, as a real model's grows"
    )
    faults: Mapping[int, Fault] = Field(
        default_factory=dict, description="tests only: inputs for which the fake recogniser fails, and how"
    )


def draw_page(values: Sequence[int], kinds: Sequence[Kind] = (), width_px: int = 240) -> Image:
    """Draw numbers as bar codes, one below another; all printed unless ``kinds`` says otherwise.

    Args:
        values: numbers in ``[0, 2**20)``.
        kinds: ink of each, or empty.
    """
    page = np.full((PITCH_PX * (len(values) + 1), width_px, 3), 255, np.uint8)
    for row, value in enumerate(values):
        ink = INK[kinds[row] if kinds else Kind.PRINTED]
        top = PITCH_PX // 2 + row * PITCH_PX
        page[top : top + LINE_PX, 20 : 20 + CODE_WIDTH_PX] = ink
        for bit in range(BITS):
            if not value >> bit & 1:
                left = 20 + FRAME_PX + bit * CELL_PX
                page[top + FRAME_PX : top + LINE_PX - FRAME_PX, left : left + CELL_PX] = 255
    return page


class _Fake:
    """Preparing, cost and tuning, the same for the three."""

    name = "fake"

    def __init__(self, behaviour: FakeBehaviour | None = None) -> None:
        self.behaviour = behaviour or FakeBehaviour()

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[Image]]]:
        return [
            Prepared(item, *item.shape[:2]) if item.size else UnreadableDocument("The image is empty")
            for item in items
        ]

    def warm_up(self) -> None:
        """Nothing to warm."""

    def configure(self, tuning: Any) -> None:
        """Remember the tuning, so that thresholds work as in a real engine."""
        self.tuning = tuning

    def _spend(self, batch: Sequence[Prepared[Image]]) -> None:
        megapixels = sum(prepared.height * prepared.width for prepared in batch) / 1e6
        cost_ms = (
            self.behaviour.step_ms
            + self.behaviour.item_ms * len(batch)
            + self.behaviour.megapixel_ms * megapixels
        )
        if cost_ms:
            time.sleep(cost_ms / 1000)


class FakeDetector(_Fake):
    """Finds the codes: connected components of ink, scored by how full their box is."""

    def forward(self, batch: Sequence[Prepared[Image]]) -> list[PageLines]:
        self._spend(batch)
        return [self._find(prepared.payload) for prepared in batch]

    def finish(self, raw: Sequence[PageLines]) -> list[Outcome[PageLines]]:
        return [
            PageLines(tuple(line for line in page.lines if line.score >= self.tuning.confidence))
            for page in raw
        ]

    @staticmethod
    def _find(page: Image) -> PageLines:
        ink = (page.min(axis=2) < 128).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
        lines = [
            TextLine(quad_from_box((x, y, w, h)), score=float(area) / (w * h))
            for x, y, w, h, area in stats[1:].tolist()
            if w > CODE_WIDTH_PX // 2
        ]
        return PageLines(tuple(lines))


class FakeClassifier(_Fake):
    """Blue ink is handwriting."""

    def forward(self, batch: Sequence[Prepared[Image]]) -> list[KindScore]:
        self._spend(batch)
        return [self._kind(prepared.payload) for prepared in batch]

    def finish(self, raw: Sequence[KindScore]) -> list[Outcome[KindScore]]:
        return list(raw)

    @staticmethod
    def _kind(crop: Image) -> KindScore:
        ink = crop[crop.min(axis=2) < 128].astype(np.float32)
        blue = bool(len(ink)) and float(ink[:, 2].mean() - ink[:, 0].mean()) > 50
        return KindScore(Kind.HANDWRITTEN if blue else Kind.PRINTED, confidence=1.0)


class FakeRecogniser(_Fake):
    """Reads the number of a code as decimal digits; an empty reading for anything else."""

    def forward(self, batch: Sequence[Prepared[Image]]) -> list[Reading]:
        self._spend(batch)
        values = [decode_code(prepared.payload) for prepared in batch]
        readings = [Reading("", 0.0) if value is None else Reading(str(value), 1.0) for value in values]
        for at, value in enumerate(values):
            fault = self.behaviour.faults.get(value) if value is not None else None
            if fault is not None:
                self._come_to_harm(fault, readings, at)
        return readings

    @staticmethod
    def _come_to_harm(fault: Fault, readings: list[Reading], at: int) -> None:
        if fault == "raises":
            raise RuntimeError("poisoned item")
        if fault == "out of memory" and len(readings) > 1:
            # torch.OutOfMemoryError is a RuntimeError, too.
            raise RuntimeError("CUDA out of memory")
        if fault == "crashes":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hangs":
            time.sleep(_FOR_EVER_S)
        if fault == "too few":
            readings.pop()
        if fault == "nan":
            readings[at] = Reading(readings[at].text, math.nan)

    def finish(self, raw: Sequence[Reading]) -> list[Outcome[Reading]]:
        return list(raw)


def decode_code(crop: Image) -> int | None:
    """Number of the code in a crop, at any scale and with any margin; None where there is none."""
    ink = crop.min(axis=2) < 128
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(columns) < BITS or not len(rows):
        return None
    cell_px = (columns[-1] + 1 - columns[0]) / CODE_WIDTH_PX * CELL_PX
    first_px = columns[0] + cell_px * FRAME_PX / CELL_PX
    centres = (first_px + (np.arange(BITS) + 0.5) * cell_px).astype(int)
    bits = ink[(rows[0] + rows[-1]) // 2, centres]
    return int(sum(1 << bit for bit in range(BITS) if bits[bit]))
