"""The shipped recognisers read plain print; how well they read the rest stands in their cards."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from deployments.engine import Prepared
from deployments.recognition.config import SHIPPED_WEIGHTS, EngineName, RecognitionArgs
from deployments.recognition.engines import RecognitionEngine, build_engine
from deployments.types import Reading
from deployments.weights import METADATA, SHIPPED
from training.metrics import score_readings

LINES = (
    "Договор на оказание услуг",
    "Общая стоимость работ составляет",
    "The quick brown fox jumps over",
    "Total amount due 1250.00",
    "г. Москва, ул. Садовая, д. 12",
)
ENGINES: tuple[EngineName, ...] = tuple(
    engine for engine, name in SHIPPED_WEIGHTS.items() if name and (SHIPPED / name / METADATA).is_file()
)


def font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib (a need of ultralytics) carries: it has Cyrillic."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size_px)


def render(text: str) -> np.ndarray:
    face = font(32)
    image = PilImage.new("RGB", (round(face.getlength(text)) + 20, 50), (236, 233, 226))
    ImageDraw.Draw(image).text((10, 5), text, font=face, fill=(40, 38, 45))
    return np.asarray(image)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> RecognitionEngine:
    return build_engine(RecognitionArgs(engine=request.param, device="cpu"))


def test_the_default_engine_is_shipped() -> None:
    assert RecognitionArgs().engine in ENGINES


def test_plain_print_is_read(engine: RecognitionEngine) -> None:
    prepared = [
        item for item in engine.prepare([render(line) for line in LINES]) if isinstance(item, Prepared)
    ]
    readings = [item for item in engine.finish(engine.forward(prepared)) if isinstance(item, Reading)]
    pairs = [(reading.text, line) for reading, line in zip(readings, LINES, strict=True)]
    limit = {"crnn": 0.05, "trocr": 0.25}[engine.name]
    assert score_readings(pairs).cer < limit, pairs
    assert all(0 < reading.confidence <= 1 for reading in readings)


def test_words_are_found_along_the_line(engine: RecognitionEngine) -> None:
    line = LINES[0]
    image = render(line)
    prepared = [item for item in engine.prepare([image]) if isinstance(item, Prepared)]
    (reading,) = engine.finish(engine.forward(prepared))
    assert isinstance(reading, Reading)
    assert len(reading.text) == len(line), reading.text
    start = 0
    for word in line.split():
        end = start + len(word)
        left = (10 + font(32).getlength(line[:start])) / image.shape[1]
        right = (10 + font(32).getlength(line[:end])) / image.shape[1]
        found = reading.char_spans[start][0], reading.char_spans[end - 1][1]
        # A sixth of the line's height: less than half a letter.
        assert found == pytest.approx((left, right), abs=image.shape[0] / 6 / image.shape[1]), word
        start = end + 1


@pytest.mark.parametrize("name", [SHIPPED_WEIGHTS[engine] for engine in ENGINES])
def test_a_shipped_weight_carries_its_card_and_results(name: str) -> None:
    metadata = json.loads((SHIPPED / name / METADATA).read_text(encoding="utf-8"))
    card = (SHIPPED / name / "README.md").read_text(encoding="utf-8")
    assert metadata["name"] == name
    assert metadata["training"]["licences"] and metadata["training"]["samples"] > 0
    for result, score in metadata["results"].items():
        assert f"| {result} | {score['n']} |" in card
    assert "pages_ru_printed, printed" in metadata["results"]
