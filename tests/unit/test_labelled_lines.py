"""Real lines: which rows evaluate, and how they are cut."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.labelled_sets import read_set
from deployments.types import Kind
from training import classification, detection, recognition
from training.classification_data import labelled_crops
from training.labelled_lines import TRAINING_ROWS, EvaluationRows, check_may_train, read_lines
from training.real import training_lines
from training.synth import __main__ as synth

DATA = Path(__file__).parents[3] / "shared" / "data"


def write_set(folder: Path, rows: int, **line: object) -> Path:
    """Pages of 60 x 200 px with a dark band from (40, 20) to (160, 40), labelled as one line each."""
    (folder / "images").mkdir(parents=True)
    page = np.full((60, 200), 240, np.uint8)
    page[20:40, 40:160] = 20
    cv2.imwrite(str(folder / "images" / "page.png"), page)
    labels = []
    for number in range(rows):
        label = {"bbox": [40, 20, 120, 20], "text": f"row {number}", "kind": "printed"} | line
        labels.append(json.dumps({"image": "images/page.png", "lines": [label]}))
    (folder / "labels.jsonl").write_text("\n".join(labels), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", TRAINING_ROWS)
def test_rows_train_or_evaluate_but_never_both(tmp_path: Path, name: str) -> None:
    """Whoever reads them: recognition, classification, and the benchmark over HTTP."""
    folder = write_set(tmp_path / name, TRAINING_ROWS[name] + 5)
    trained = {line.text for line in read_lines(folder, "train")}
    trained |= {line.text for line in training_lines(tmp_path)}
    trained |= {crop.text for crop in labelled_crops(tmp_path, name, "training")}
    trained |= {crop.text for crop in labelled_crops(tmp_path, name, "calibration")}
    evaluated = {line.text for line in read_lines(folder, "evaluate")}
    evaluated |= {crop.text for crop in labelled_crops(tmp_path, name, "evaluation")}
    evaluated |= {row.lines[0].text for row in read_set(folder / "labels.jsonl") if row.evaluates}
    assert trained == {f"row {number}" for number in range(TRAINING_ROWS[name])}
    assert evaluated == {f"row {number}" for number in range(TRAINING_ROWS[name], TRAINING_ROWS[name] + 5)}


COMMANDS = {
    "recognition train": (recognition, "train --run {out} --steps 1 --set {set}"),
    "synth real": (synth, "real --out {out} --folder {set}"),
    "classification render": (classification, "render --data {out} --number 1 --out {out} --set {set}"),
    "detection train": (detection, "train --out {out} --steps 1 --pages {set}"),
    "detection train, a row too many": (detection, "train --out {out} --steps 1 --pages {set}:61"),
    "detection train, from the end": (detection, "train --out {out} --steps 1 --pages {set}:-20"),
    "detection characters": (detection, "characters --out {out} --pages {set}"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_trains_on_rows_that_evaluate(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_set(tmp_path / "receipts_en", 65)
    module, arguments = COMMANDS[command]
    try:
        assert module.main(arguments.format(out=tmp_path / "out", set=folder).split()) == 1
        told = capsys.readouterr().err
    except SystemExit as refused:
        told = str(refused)
    assert "receipts_en: only its first 60 rows may train" in told
    assert not (tmp_path / "out").exists()


def test_rows_that_may_train_and_sets_of_ones_own_are_not_refused(tmp_path: Path) -> None:
    check_may_train(tmp_path / "receipts_en", 60)
    check_may_train(tmp_path / "ours")
    with pytest.raises(EvaluationRows, match="it only evaluates"):
        check_may_train(tmp_path / "pages_ru_printed", 1)


def test_a_page_that_trained_under_another_name_evaluates_nothing(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "receipts_en", 80)
    labels = (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    labels[61] = labels[61].replace("images/page.png", "images/015.jpg")
    cv2.imwrite(str(folder / "images" / "015.jpg"), np.full((60, 200), 240, np.uint8))
    (folder / "labels.jsonl").write_text("\n".join(labels), encoding="utf-8")
    assert "row 61" not in {line.text for line in read_lines(folder, "evaluate")}
    rows = read_set(folder / "labels.jsonl")
    assert [index for index, row in enumerate(rows) if row.evaluates] == [60, *range(62, 80)]


@pytest.mark.skipif(not DATA.is_dir(), reason="the labelled sets are not there")
@pytest.mark.parametrize("name", TRAINING_ROWS)
def test_no_image_that_evaluates_is_the_image_of_another_row(name: str) -> None:
    rows = read_set(DATA / name / "labels.jsonl")
    digests = [(row.evaluates, sha256(row.image.read_bytes()).digest()) for row in rows]
    trained = {digest for evaluates, digest in digests if not evaluates}
    assert not trained & {digest for evaluates, digest in digests if evaluates}


def test_sets_without_training_rows_evaluate_whole(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "pages_ru_printed", 3)
    assert len(list(read_lines(folder, "evaluate"))) == 3
    assert list(read_lines(folder, "train")) == []


def test_a_box_is_cut_to_its_pixels_and_a_margin_widens_it(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", 1)
    tight = next(read_lines(folder)).image
    assert tight.shape == (20, 120, 3)
    assert tight.max() < 60
    assert next(read_lines(folder, margin=0.5)).image.shape == (40, 140, 3)


def test_a_polygon_takes_precedence_over_the_box(tmp_path: Path) -> None:
    polygon = [[40, 20], [100, 20], [100, 40], [40, 40]]
    line = next(read_lines(write_set(tmp_path / "set", 1, polygon=polygon)))
    assert line.image.shape == (20, 60, 3)
    assert line.kind is Kind.PRINTED


@pytest.mark.parametrize("line", [{"text": "  "}, {"bbox": [40, 20, 0, 20]}])
def test_lines_without_text_or_area_are_left_out(tmp_path: Path, line: dict[str, object]) -> None:
    assert list(read_lines(write_set(tmp_path / "set", 2, **line))) == []


def test_a_crop_set_gives_whole_images(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", 1)
    row = {"image": "images/page.png", "text": "слово", "kind": "handwritten"}
    (folder / "labels.jsonl").write_text(json.dumps(row), encoding="utf-8")
    line = next(read_lines(folder))
    assert (line.image.shape, line.text, line.kind) == ((60, 200, 3), "слово", Kind.HANDWRITTEN)


def test_the_split_of_an_unknown_set_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not known"):
        list(read_lines(write_set(tmp_path / "mine", 1), "evaluate"))


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", 1)
    (folder / "images" / "page.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"page\.png"):
        list(read_lines(folder))
