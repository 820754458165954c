"""How often the CRNN looks at a line, and in how many steps of the model."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from PIL import ImageFont
from rapidfuzz.distance import Levenshtein

from deployments.engine import Prepared
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.crnn import CrnnEngine
from deployments.recognition.likelihood import log_likelihood
from deployments.recognition.preprocess import Ink
from deployments.recognition.search_kernel import search
from deployments.types import Image, Reading


def prepared(engine: CrnnEngine, *widths: int) -> list[Prepared[Ink]]:
    rng = np.random.default_rng(1)
    crops = [rng.integers(0, 255, (40, width, 3)).astype(np.uint8) for width in widths]
    return [item for item in engine.prepare(crops) if isinstance(item, Prepared)]


def widths_of_steps(engine: CrnnEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Records the widths of the lines of every model step."""
    steps: list[tuple[int, ...]] = []
    really = engine._look

    def look(batch):  # type: ignore[no-untyped-def]
        steps.append(tuple(item.width for item in batch))
        return really(batch)

    monkeypatch.setattr(engine, "_look", look)
    return steps


def test_sure_lines_are_looked_at_once_and_others_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CrnnEngine(RecognitionArgs(device="cpu"))
    steps = widths_of_steps(engine, monkeypatch)
    lines = prepared(engine, 400, 400, 400, 400)
    engine.configure(RecognitionTuning(second_look=0))
    assert all(line.looks == () for line in engine.forward(lines))
    assert steps == [(320,) * 4]
    steps.clear()
    engine.configure(RecognitionTuning(second_look=1))
    first, *_ = engine.forward(lines)
    assert steps == [(320,) * 4, (320,) * 4, (384,) * 3, (384,)]
    assert [len(look.steps) for look in first.looks] == [80, 80, 96]
    assert [look.content_steps for look in first.looks] == [80, 80, 96]
    steps.clear()
    # A greedy reading takes no text from a widened line.
    engine.configure(RecognitionTuning(second_look=1, decoding="greedy"))
    assert all(line.looks == () for line in engine.forward(lines))
    assert steps == [(320,) * 4] * 2


def test_the_widest_line_is_widened_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CrnnEngine(RecognitionArgs(device="cpu"))
    engine.configure(RecognitionTuning(second_look=1))
    steps = widths_of_steps(engine, monkeypatch)
    engine.forward(prepared(engine, 4000))
    assert {width for step in steps for width in step} == {engine.line_format.max_width_px}


def test_what_a_reading_needs_is_compiled_when_the_engine_is_warm() -> None:
    engine = CrnnEngine(RecognitionArgs(device="cpu"))
    engine.warm_up()
    kernels: tuple[Any, ...] = (search, log_likelihood)
    compiled = [list(kernel.signatures) for kernel in kernels]
    assert all(compiled)
    engine.configure(RecognitionTuning(second_look=1))
    engine.finish(engine.forward(prepared(engine, 100, 300)))
    assert compiled == [list(kernel.signatures) for kernel in kernels]


TEXT = "Account 40817 of 12 March"


def written(blur_px: float) -> Image:
    """A line of print, out of focus."""
    crop = PIL.Image.new("L", (420, 48), 235)
    font = ImageFont.load_default(28)
    PIL.ImageDraw.Draw(crop).text((12, 8), TEXT, fill=30, font=font)
    soft = cv2.GaussianBlur(np.asarray(crop), (0, 0), blur_px) if blur_px else np.asarray(crop)
    return np.dstack([soft] * 3)


def read(engine: CrnnEngine, tuning: RecognitionTuning, *crops: Image) -> list[str]:
    engine.configure(tuning)
    lines = [item for item in engine.prepare(crops) if isinstance(item, Prepared)]
    return [reading.text for reading in engine.finish(engine.forward(lines)) if isinstance(reading, Reading)]


def test_a_line_out_of_focus_is_read_sharpened() -> None:
    engine = CrnnEngine(RecognitionArgs(device="cpu"))
    sharp, soft = written(0), written(4.0)
    assert read(engine, RecognitionTuning(), sharp) == [TEXT]
    (lost,) = read(engine, RecognitionTuning(sharpening=0), soft)
    (found,) = read(engine, RecognitionTuning(), soft)
    assert Levenshtein.distance(found, TEXT) <= 3 < 10 < Levenshtein.distance(lost, TEXT)
    # Each line takes what was seen of it, whatever it stands between.
    assert read(engine, RecognitionTuning(), sharp, soft, sharp) == [TEXT, found, TEXT]


def test_lines_are_sharpened_where_they_are_soft_and_unsure_only(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CrnnEngine(RecognitionArgs(device="cpu"))
    steps = widths_of_steps(engine, monkeypatch)
    read(engine, RecognitionTuning(second_look=0, sharpening=1), written(0))
    assert len(steps) == 1
    steps.clear()
    # Three degrees, in steps no larger than the first.
    read(engine, RecognitionTuning(second_look=0), written(4.0), written(0), written(4.0))
    assert [len(step) for step in steps] == [3, 3, 3]
    steps.clear()
    read(engine, RecognitionTuning(second_look=0, sharpening=0), written(4.0))
    assert len(steps) == 1
