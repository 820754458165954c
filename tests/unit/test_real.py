"""Which labelled rows may train, and what a bad list says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from deployments.types import Kind
from training.real import (
    LabelError,
    RealLine,
    counted,
    csv_lines,
    cut,
    folder_lines,
    training_lines,
    write_real,
)
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


def test_lines_that_cannot_be_cut_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _folder(tmp_path, 1)
    image = tmp_path / "images/0.png"
    boxes = [(0.0, 0.0, 80.0, 20.0), (0.0, 0.0, 80.0, 3.0), (0.0, 0.0, 120.0, 2.0), (500.0, 5.0, 80.0, 20.0)]
    lines = [RealLine(image, box, "x", Kind.PRINTED) for box in boxes]
    with caplog.at_level("INFO"):
        assert write_real(lines, tmp_path / "out", cuts={Kind.PRINTED: 2, Kind.HANDWRITTEN: 2}, seed=1) == 2
    assert "3 lines left out: too small" in caplog.text


def test_box_outside_the_page_gives_no_cut(tmp_path: Path) -> None:
    _folder(tmp_path / "receipts_en", 1)
    line = RealLine(tmp_path / "receipts_en/images/0.png", (500.0, 5.0, 80.0, 20.0), "x", Kind.PRINTED)
    assert cut(line, "x") is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Gruß aus Köln", None),
        ("1 000 ₸", None),
        ("café", None),
        ("Оплата по карте Visa", "Оплата по карте Visa"),
        ("ПАО «Citibank»", "ПАО «Citibank»"),
        ("«Да» — 5 ₽", "«Да» — 5 ₽"),
        ("a\u00a0b", "a b"),
        ("  ", None),
    ],
)
def test_labels_with_signs_outside_the_charset_are_not_used(text: str, kept: str | None) -> None:
    assert RealLine(Path("a.png"), None, text, Kind.PRINTED).label == kept


def test_a_latin_i_in_the_old_spelling_is_no_latin_i(tmp_path: Path) -> None:
    _folder(tmp_path / "lines_ru_historic", 2)
    labels = tmp_path / "lines_ru_historic" / "labels.jsonl"
    labels.write_text(labels.read_text(encoding="utf-8").replace("row 1", "въсе iмъ"), encoding="utf-8")
    assert [line.label for line in training_lines(tmp_path)] == ["row 0", None]


def test_it_is_logged_once_how_many_lines_of_a_set_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    lines = [RealLine(Path("a.png"), None, text, Kind.PRINTED) for text in ("5 ₸", "5 ₽", "", "6 ₸")]
    with caplog.at_level("INFO"):
        assert list(counted(lines, Path("set.csv"))) == lines
    assert [record.message.split(":")[1] for record in caplog.records] == [" 3 of 4 lines left out"]


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


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('a.png\t"Да, сказал он\na.png\tОн ушёл\n', 2),
        ('a.png\t"Да\n' + "a.png\tстрока\n" * 299 + 'a.png\tкавычка"\n' + "a.png\tстрока\n" * 300, 2),
        ('a.png\t"Да\n' + "a.png\tстрока и ещё слова\n" * 9000, 2),
        ('a.png\t"Ромашка" ООО\n', 2),
        ('a.png\t"две\nстроки"\n', 2),
    ],
)
def test_a_quote_swallows_no_rows(tmp_path: Path, content: str, line: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 90), 180, np.uint8))
    (tmp_path / "list.tsv").write_text("File name\tText\n" + content, encoding="utf-8")
    with pytest.raises(LabelError, match=rf"list\.tsv, line {line}: .*quote left open"):
        list(csv_lines(tmp_path / "list.tsv"))


def test_quotes_within_a_text_stay_and_faults_are_on_their_line(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 90), 180, np.uint8))
    header = "File name,Text\n"
    (tmp_path / "list.csv").write_text(header + 'a.png,ООО "Р"\n', encoding="utf-8")
    assert [each.text for each in csv_lines(tmp_path / "list.csv")] == ['ООО "Р"']
    (tmp_path / "list.csv").write_text(header + "\n\na.png,x\nb.png,y\n", encoding="utf-8")
    with pytest.raises(LabelError, match=r"line 5: no image 'b\.png'"):
        list(csv_lines(tmp_path / "list.csv"))


@pytest.mark.parametrize("separator", [", ", ";", "\t"])
def test_csv_may_be_separated_in_other_ways(tmp_path: Path, separator: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 90), 180, np.uint8))
    rows = [["File name", "Text", "Class"], ["a.png", '"Итого: 1 250,00"', "printed"], ["a.png", "Hi", ""]]
    content = "\r\n".join(map(separator.join, rows))
    (tmp_path / "list.csv").write_text(content, encoding="utf-8-sig", newline="")
    assert [line.text for line in csv_lines(tmp_path / "list.csv")] == ["Итого: 1 250,00", "Hi"]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16"])
def test_label_files_of_another_encoding_are_refused(tmp_path: Path, encoding: str) -> None:
    for name in ("list.csv", "labels.jsonl"):
        (tmp_path / name).write_text("File name,Text\na.png,Привет\n", encoding=encoding)
    with pytest.raises(LabelError, match=r"list\.csv: not UTF-8"):
        list(csv_lines(tmp_path / "list.csv"))
    with pytest.raises(LabelError, match=r"labels\.jsonl: not UTF-8"):
        list(folder_lines(tmp_path))


@pytest.mark.parametrize(
    "fault", [{"text": None}, {"text": 1250}, {"bbox": ["1", "2", "3", "4"]}, {"bbox": [1, 2, 3, None]}]
)
def test_values_of_another_type_are_named_with_their_row(tmp_path: Path, fault: dict[str, object]) -> None:
    _folder(tmp_path / "set", 2)
    line = {"bbox": [1, 2, 30, 10], "text": "a", "kind": "printed"} | fault
    with (tmp_path / "set" / "labels.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"image": "images/0.png", "lines": [line]}))
    with pytest.raises(LabelError, match=r"labels\.jsonl, line 3: .*is not"):
        list(folder_lines(tmp_path / "set"))


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
