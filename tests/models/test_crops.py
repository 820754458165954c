"""Recognition scored on labelled crops: what is cut, what is counted, what stands beside it."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from benchmarks import crops, records, tesseract
from benchmarks.crops import Crop, Read, cut_set, sample_evenly
from benchmarks.labelled_sets import BadLabels
from deployments.types import Kind

needs_tesseract = pytest.mark.skipif(not tesseract.is_installed(), reason="Tesseract is not installed")
TEXTS = ("Total amount due 1250.00", "Договор на оказание услуг")


def draw(text: str) -> PilImage.Image:
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    face = ImageFont.truetype(
        str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"), 32
    )
    image = PilImage.new("RGB", (round(face.getlength(text)) + 20, 50), (236, 233, 226))
    ImageDraw.Draw(image).text((10, 5), text, font=face, fill=(40, 38, 45))
    return image


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two sets: a page of two lines, one of them boxed wrongly thin, and a folder of crops."""
    page = PilImage.new("RGB", (700, 300), (236, 233, 226))
    lines = []
    for number, text in enumerate(TEXTS):
        line, top = draw(text), 40 + 100 * number
        page.paste(line, (50, top))
        box = [50, top, line.width, line.height]
        lines.append({"bbox": box, "text": text, "kind": ("printed", "handwritten")[number]})
    x, y, width, height = lines[1]["bbox"]
    lines[1]["polygon"] = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    lines[1]["bbox"] = [0, 0, 10, 10]
    lines.append({"bbox": [5, 5, 0, 0], "text": "no area", "kind": "printed"})
    lines.append({"bbox": [5, 5, 50, 20], "text": " ", "kind": "printed"})
    for name, rows in {
        "pages": [{"image": "page.png", "lines": lines}],
        "lines": [{"image": "line.png", "text": TEXTS[0], "kind": "printed"}],
    }.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        page.save(folder / "page.png")
        draw(TEXTS[0]).save(folder / "line.png")
        (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path / "data"


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> int:
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(crops, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["crops", *arguments])
    return crops.main()


def test_crops_follow_polygons_else_boxes_and_empty_lines_are_left_out(data: Path) -> None:
    cut = list(cut_set(data / "pages" / "labels.jsonl"))
    assert [(crop.text, crop.kind) for crop in cut] == [
        (TEXTS[0], Kind.PRINTED),
        (TEXTS[1], Kind.HANDWRITTEN),
    ]
    for crop in cut:
        assert np.abs(crop.image.astype(int) - np.asarray(draw(crop.text))).max() < 30


def test_the_command_scores_by_kind_and_writes_what_it_measured(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--data", str(data), "--tesseract", "0", "--rendered", str(tmp_path / "none"))
    assert run(monkeypatch, tmp_path, *arguments) == 0
    assert "SKIPPED: no rendered lines" in capsys.readouterr().out
    (path,) = (tmp_path / "results").glob("crops-crnn-*.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["weights"] == "crnn-ru-en" and len(record["sha256"]["model.safetensors"]) == 64
    assert set(record["sets"]) == {"pages", "lines"}
    scores = record["sets"]["pages"]
    assert {kind: part["evaluation"]["lines"] for kind, part in scores.items()} == {
        "printed": 1,
        "handwritten": 1,
    }
    assert scores["printed"]["all"]["cer"] == 0 and scores["printed"]["all"]["exact"] == 1
    assert 0 < scores["printed"]["all"]["s_per_line"] < 1


def test_what_is_missing_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tesseract, "is_installed", lambda: False)
    nowhere = str(tmp_path / "nowhere")
    assert run(monkeypatch, tmp_path, "--data", nowhere, "--rendered", nowhere) == 0
    out = capsys.readouterr().out
    assert "SKIPPED: Tesseract" in out and f"SKIPPED: there are no labelled sets at {nowhere}" in out
    assert run(monkeypatch, tmp_path, "--data", str(data), "--sets", "papyri") == 1
    assert "no set papyri" in capsys.readouterr().err
    (data / "lines" / "line.png").unlink()
    with pytest.raises(BadLabels, match="no readable image"):
        list(cut_set(data / "lines" / "labels.jsonl"))


def test_a_sample_is_spread_over_all_lines() -> None:
    reads = [
        Read(Crop(np.zeros((1, 1, 3), np.uint8), str(i), Kind.PRINTED, True), "", 0.0) for i in range(10)
    ]
    assert [read.crop.text for read in sample_evenly(reads, 4)] == ["0", "3", "6", "9"]
    assert sample_evenly(reads, 20) == reads


def test_words_go_to_their_page_also_after_an_empty_one() -> None:
    head = "level\tpage_num\ttext\n"
    rows = '1\t1\t\n5\t1\tone\n5\t1\t"two\n1\t3\t\n5\t3\tlast\n'
    assert tesseract._texts(head + rows, 3) == ['one "two', "", "last"]


@needs_tesseract
def test_tesseract_reads_the_same_crops() -> None:
    blank = np.full((50, 200, 3), 255, np.uint8)
    texts, seconds = tesseract.read_lines([np.asarray(draw(TEXTS[0])), blank, np.asarray(draw(TEXTS[1]))])
    assert (texts[0], texts[2]) == TEXTS
    assert len(texts) == 3
    assert seconds > 0
