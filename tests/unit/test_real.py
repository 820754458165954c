"""Which labelled rows may train, and what a bad list says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from deployments.types import Kind
from training.real import LabelError, RealLine, csv_lines, cut, training_lines, usable_text, write_real
from training.synth.shards import LineShards


def _folder(path: Path, rows: int) -> None:
    (path / "images").mkdir(parents=True)
    labels = []
    for number in range(rows):
        cv2.imwrite(str(path / "images" / f"{number}.png"), np.full((40, 120), 200, np.uint8))
        line = {"bbox": [10, 5, 80, 20], "text": f"row {number}", "kind": "printed"}
        labels.append(json.dumps({"image": f"images/{number}.png", "lines": [line]}))
    (path / "labels.jsonl").write_text("\n".join(labels), encoding="utf-8")


def test_evaluation_rows_are_never_read(tmp_path: Path) -> None:
    for name, rows in {"typewritten_en": 30, "pages_ru_printed": 3, "words_ru_handwritten": 3}.items():
        _folder(tmp_path / name, rows)
    lines = list(training_lines(tmp_path))
    assert {line.image.parent.parent.name for line in lines} == {"typewritten_en"}
    assert [line.text for line in lines] == [f"row {number}" for number in range(22)]


def test_every_cut_is_written_with_its_label(tmp_path: Path) -> None:
    _folder(tmp_path / "receipts_en", 3)
    count = write_real(
        training_lines(tmp_path), tmp_path / "out", cuts={Kind.PRINTED: 2, Kind.HANDWRITTEN: 3}, seed=5
    )
    shards = LineShards(tmp_path / "out")
    assert count == len(shards) == 6
    assert [shards[i].text for i in range(6)] == ["row 0", "row 0", "row 1", "row 1", "row 2", "row 2"]
    assert shards[0].image.shape == (48, 192)


def test_box_outside_the_page_gives_no_cut(tmp_path: Path) -> None:
    _folder(tmp_path / "receipts_en", 1)
    line = RealLine(tmp_path / "receipts_en/images/0.png", (500.0, 5.0, 80.0, 20.0), "x", Kind.PRINTED)
    assert cut(line, "x") is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Gruß aus Köln", None),
        ("въсе iмъ", None),
        ("«Да» — 5 ₽", "«Да» — 5 ₽"),
        ("a\u00a0b", "a b"),
        ("  ", None),
    ],
)
def test_labels_with_letters_outside_the_charset_are_not_used(text: str, kept: str | None) -> None:
    assert usable_text(text) == kept


def test_csv_gives_kind_and_text(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 90), 180, np.uint8))
    (tmp_path / "list.csv").write_text(
        "File name,Text,Class\na.png,Привет,\na.png,Hi,printed\n", encoding="utf-8"
    )
    first, second = csv_lines(tmp_path / "list.csv")
    assert (first.text, first.kind, second.kind) == ("Привет", Kind.HANDWRITTEN, Kind.PRINTED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,Text\na.png,x\n", "no column File name"),
        ("File name,Text,Class\nb.png,x,\n", "line 2: no image 'b.png'"),
        ("File name,Text,Class\na.png,x,drawn\n", "line 2: class 'drawn'"),
    ],
)
def test_csv_faults_are_named(tmp_path: Path, content: str, message: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 90), 180, np.uint8))
    (tmp_path / "list.csv").write_text(content, encoding="utf-8")
    with pytest.raises(LabelError, match=message):
        list(csv_lines(tmp_path / "list.csv"))


def test_capitals_in_a_label_are_believed_where_the_picture_shows_capitals(tmp_path: Path) -> None:
    """Sets that label everything in capitals would teach the reader that an e is an E."""
    lines = []
    for number, shown in enumerate(("TOTAL DUE 12", "Total due 12", "total due 12", "12.50")):
        page = np.full((60, 420), 235, np.uint8)
        cv2.putText(page, shown, (10, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 20, 4)
        cv2.imwrite(str(tmp_path / f"{number}.png"), page)
        lines.append(
            RealLine(tmp_path / f"{number}.png", None, shown.upper(), Kind.PRINTED, upper_cased=True)
        )
    write_real(lines, tmp_path / "out", cuts={Kind.PRINTED: 1}, seed=1)
    shards = LineShards(tmp_path / "out")
    assert [shards[i].text for i in range(len(shards))] == ["TOTAL DUE 12", "12.50"]
