"""The shipped detectors find the lines of a form and of a table; their cards say how they do on real sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from deployments.detection.config import DetectionArgs, DetectionTuning, EngineName
from deployments.detection.engines import build_engine
from deployments.geometry import Box, quad_bounds, quad_from_box
from deployments.types import Image
from training.detection_evaluation import detect
from training.detection_metrics import match_lines

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "serve_app" / "web" / "static" / "sample.jpg"
TRUTH = ROOT / "tests" / "browser" / "sample_form.json"


@pytest.mark.parametrize("name", ["yolo", "craft"])
def test_most_lines_of_a_form_are_found(name: EngineName) -> None:
    engine = build_engine(DetectionArgs(engine=name, device="cpu"))
    engine.warm_up()
    page = np.asarray(PilImage.open(PAGE).convert("RGB"))
    truth = [quad_from_box(tuple(line["bbox"])) for line in json.loads(TRUTH.read_text(encoding="utf-8"))]
    found = [line.quad for line in detect(engine, page).lines]
    counts = match_lines(found, truth).counts
    assert counts.recall > 0.6
    assert counts.precision > 0.6


def test_figures_in_narrow_columns_are_found() -> None:
    engine = build_engine(DetectionArgs(engine="yolo", device="cpu"))
    engine.warm_up()
    page, figures = table_of_figures()
    found = [quad_bounds(line.quad) for line in detect(engine, page).lines]
    counts = {figure: sum(_holds(box, figure) for box in found) for figure in figures}
    assert max(counts.values()) == 1
    assert sum(counts.values()) >= 0.9 * len(figures)
    engine.configure(DetectionTuning(short_word_confidence=1))
    alone = [quad_bounds(line.quad) for line in detect(engine, page).lines]
    assert len(alone) < 0.9 * len(found)


def table_of_figures() -> tuple[Image, list[Box]]:
    """Names with four narrow columns of single figures and a price; the bounds of the figures, pixels.

    The page is of the network's size: on a smaller one the figures are enlarged, and found as lines.
    """
    image = PilImage.new("RGB", (905, 1280), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15)
    figures = []
    for row, name in enumerate(
        ["Bread", "Butter", "Apples", "Green tea", "Sugar", "Flour", "Coffee", "Salt"]
    ):
        y = 100 + 21 * row
        draw.text((60, y), name, font=font, fill="black")
        draw.text((450, y), f"{row + 1}.50", font=font, fill="black")
        for column in range(4):
            place, figure = (200 + 40 * column, y), str((row + column) % 10)
            draw.text(place, figure, font=font, fill="black")
            left, top, right, bottom = draw.textbbox(place, figure, font=font)
            figures.append((left, top, right - left, bottom - top))
    return np.asarray(image), figures


def _holds(box: Box, figure: Box) -> bool:
    """Whether the middle of a figure lies in a box that has no room for another."""
    x, y = figure[0] + figure[2] / 2, figure[1] + figure[3] / 2
    return box[0] < x < box[0] + box[2] < x + 40 and box[1] < y < box[1] + box[3]
