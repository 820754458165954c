"""serve_config.yaml as it is, with the shipped weights, on a real Ray."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from tests.pictures import encoded
from tests.serve.conftest import ROOT, Cluster

DATA = ROOT.parent / "shared" / "data"
LINES = ("Payment order", "Account number 40702810", "The amount is due on 12.05.2024", "Total: 1 250.00")


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Cluster:
    assert cluster.deploy(cluster.config()) == "RUNNING", cluster.application()["message"]
    return cluster


def page(lines: Sequence[str], size_px: int = 30) -> PillowImage.Image:
    image = PillowImage.new("RGB", (900, 120 + 90 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        draw.text((80, 80 + 90 * row), line, fill="black", font=ImageFont.load_default(size_px))
    return image


def read(service: Cluster, body: bytes, **params: str) -> dict[str, Any]:
    answer = service.http.post("/ocr", content=body, params=params)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["pages"]
    return dict(found)


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def recall(text: str, truth: str) -> float:
    return sum((words(text) & words(truth)).values()) / sum(words(truth).values())


def test_a_printed_page_is_found_told_and_read(service: Cluster) -> None:
    found = read(service, encoded(page(LINES)))
    assert recall(found["text"], " ".join(LINES)) >= 0.7, found["text"]
    assert len(found["regions"]) == len(LINES)
    assert {region["kind"] for region in found["regions"]} == {"printed"}


def test_a_skewed_page_is_straightened(service: Cluster) -> None:
    turned = page(LINES).rotate(3, fillcolor="white", expand=True, resample=PillowImage.Resampling.BICUBIC)
    found = read(service, encoded(turned))
    assert found["skew_deg"] == pytest.approx(3, abs=0.5)
    assert recall(found["text"], " ".join(LINES)) >= 0.7, found["text"]


def test_one_line_is_read_without_detection(service: Cluster) -> None:
    line = page(LINES[:1]).crop((70, 70, 330, 130))
    found = read(service, encoded(line), layout="line")
    (region,) = found["regions"]
    assert recall(region["text"], LINES[0]) >= 0.5, region["text"]
    assert region["bbox"] == {"x": 0, "y": 0, "width": 260, "height": 60}


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "WEBP", "BMP"])
def test_every_format_gives_the_same_lines(service: Cluster, form: str) -> None:
    assert len(read(service, encoded(page(LINES), form))["regions"]) == len(LINES)


def test_blank_page_has_no_lines(service: Cluster) -> None:
    found = read(service, encoded(PillowImage.new("RGB", (800, 1000), "white")))
    assert found["regions"] == [] and found["text"] == ""


def test_company_in_a_batch_changes_no_answer(service: Cluster) -> None:
    pages = [encoded(page(LINES[: 1 + n % 4], 22 + 2 * n)) for n in range(10)]
    alone = [read(service, body)["text"] for body in pages]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda body: read(service, body)["text"], pages))
    assert together == alone


@pytest.mark.parametrize(("dataset", "least"), [("pages_ru_printed", 0.5), ("receipts_en", 0.45)])
def test_real_pages_are_read(service: Cluster, dataset: str, least: float) -> None:
    if not (DATA / dataset).is_dir():
        pytest.skip(f"no {DATA / dataset}: the labelled pages are not part of the repository")
    rows = [json.loads(line) for line in (DATA / dataset / "labels.jsonl").read_text().splitlines()]
    truth, text = "", ""
    for row in rows[-3:]:
        truth += " ".join(line["text"] for line in row["lines"]) + "\n"
        text += read(service, Path(DATA / dataset / row["image"]).read_bytes())["text"] + "\n"
    assert recall(text, truth) >= least
