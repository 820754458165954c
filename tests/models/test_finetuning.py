"""A set of one's own joins training with one option, from the shipped CRNN to a weight that reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from deployments.engine import Prepared
from deployments.recognition.config import RecognitionArgs
from deployments.recognition.engines import build_engine
from deployments.types import Kind, Reading
from deployments.weights import METADATA, resolve
from training import recognition
from training.own_sets import CUTS, HELD_OUT, OwnSet, write_set
from training.real import LabelError
from training.recognition_models import trainable
from training.synth.shards import LineShards


def draw(digits: str) -> PilImage.Image:
    font = ImageFont.load_default(30)
    image = PilImage.new("L", (round(font.getlength(digits)) + 16, 48), 235)
    ImageDraw.Draw(image).text((8, 6), digits, font=font, fill=25)
    return image


def write_csv(folder: Path, texts: Iterable[tuple[str, str]], kind: str = "printed") -> Path:
    """A set whose images show the first text of each pair and are labelled with the second."""
    path = folder / "set.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["File name", "Text", "Class"])
        for number, (shown, label) in enumerate(texts):
            draw(shown).save(folder / f"{number}.png")
            rows.writerow([f"{number}.png", label, kind])
    return path


def numbers(count: int) -> list[str]:
    rng = np.random.default_rng(7)
    return ["".join(map(str, rng.integers(0, 10, rng.integers(3, 7)))) for _ in range(count)]


def test_a_set_joins_training_with_one_option(tmp_path: Path) -> None:
    """That a network learns what it is shown, test_recognition_training.py shows."""
    path = write_csv(tmp_path, [(digits, digits) for digits in numbers(60)])
    run, weight = tmp_path / "run", tmp_path / "crnn-own"
    arguments = ["--start-from", "crnn-ru-en", "--run", str(run), "--set", str(path), "--steps", "2"]
    arguments += ["--rate", "1e-5", "--columns", "3072", "--device", "cpu"]
    assert recognition.main(["--threads", "1", "train", *arguments]) == 0
    with (run / "curve.csv").open(encoding="utf-8") as file:
        assert float(list(csv.DictReader(file))[-1]["valid_cer"]) < 0.5
    assert recognition.main(["export", "--run", str(run), "--out", str(weight)]) == 0
    metadata = json.loads((weight / METADATA).read_text(encoding="utf-8"))
    assert metadata["training"]["samples"] > 0
    engine = build_engine(RecognitionArgs(weights=str(weight), device="cpu"))
    image = np.dstack([np.asarray(draw("90577"))] * 3)
    prepared = [item for item in engine.prepare([image]) if isinstance(item, Prepared)]
    (reading,) = engine.finish(engine.forward(prepared))
    assert isinstance(reading, Reading)
    assert reading.text == "90577"


def test_how_lines_are_prepared_is_chosen_for_a_run_and_goes_with_its_weight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv(tmp_path, [(digits, digits) for digits in numbers(4)])
    run, weight = tmp_path / "run", tmp_path / "weight"
    train = ["--threads", "1", "train", "--run", str(run), "--set", str(path), "--columns", "2048"]
    train += ["--start-from", "crnn-ru-en", "--steps", "1", "--device", "cpu"]
    assert recognition.main([*train, "--deskew", "--adaptive-threshold"]) == 0
    assert recognition.main([*train, "--deskew"]) == 1
    assert "begun with another input" in capsys.readouterr().err
    assert recognition.main(["export", "--run", str(run), "--out", str(weight)]) == 0
    prepared = resolve(str(weight), "crnn").metadata["input"]
    assert (prepared["deskew"], prepared["adaptive_threshold"]) == (True, True)
    further = trainable("crnn", start_from=str(weight)).line_format
    assert further.deskew and further.adaptive_threshold


def test_every_tenth_image_is_held_out_and_never_trained_on(tmp_path: Path) -> None:
    path = write_csv(tmp_path, [(digits, digits) for digits in numbers(2 * HELD_OUT)], "handwritten")
    train, valid = write_set(OwnSet(path, 0.5), tmp_path / "out")
    assert valid is not None and train.weight == 0.5
    learned, held = LineShards(*train.folders()), LineShards(*valid.folders())
    assert len(held) == 2
    assert len(learned) == CUTS[learned[0].kind] * 18
    assert not set(learned.texts) & set(held.texts)


def test_a_set_is_cut_once(tmp_path: Path) -> None:
    path = write_csv(tmp_path, [("12", "12")])
    train, valid = write_set(OwnSet(path), tmp_path / "out")
    assert valid is None
    path.unlink()
    assert write_set(OwnSet(path), tmp_path / "out") == (train, None)


def test_a_set_whose_labels_changed_is_not_taken_for_the_one_that_was_cut(tmp_path: Path) -> None:
    path = write_csv(tmp_path, [("12", "12"), ("34", "34")])
    write_set(OwnSet(path), tmp_path / "out")
    path.write_text(path.read_text().replace("34", "12"))
    with pytest.raises(LabelError, match="holds the lines of other labels"):
        write_set(OwnSet(path), tmp_path / "out")


def test_a_set_whose_cutting_was_ended_is_cut_anew(tmp_path: Path) -> None:
    path = write_csv(tmp_path, [(digits, digits) for digits in numbers(HELD_OUT + 1)])
    (tmp_path / f"{HELD_OUT}.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(LabelError, match="not an image"):
            write_set(OwnSet(path), tmp_path / "out")
    draw("12").save(tmp_path / f"{HELD_OUT}.png")
    (tmp_path / "out" / "valid").mkdir(parents=True)
    train, valid = write_set(OwnSet(path), tmp_path / "out")
    assert valid is not None and len(LineShards(*valid.folders())) == 1
    assert len(LineShards(*train.folders())) == CUTS[Kind.PRINTED] * HELD_OUT
    assert {folder.name for folder in tmp_path.iterdir() if folder.is_dir()} == {"out"}


def test_a_folder_of_pages_is_a_set_in_any_place(tmp_path: Path) -> None:
    folder = tmp_path / "our [forms]"
    folder.mkdir()
    page = PilImage.new("L", (300, 200), 235)
    page.paste(draw("4711"), (40, 100))
    page.save(folder / "page.png")
    line = {"bbox": [40, 100, draw("4711").width, 48], "text": "4711", "kind": "printed"}
    row = {"image": "page.png", "lines": [line]}
    (folder / "labels.jsonl").write_text(json.dumps(row), encoding="utf-8")
    train, _ = write_set(OwnSet.parse(f"{folder}=2"), folder / "run")
    assert train.weight == 2
    lines = LineShards(*train.folders())
    assert set(lines.texts) == {"4711"}
    assert lines[0].image.min() < 60 < 200 < np.median(lines[0].image)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "gone.png", "text": "a", "kind": "printed"}, r"line 1: .*no image 'gone.png'"),
        ({"image": "page.png", "text": "a", "kind": "typed"}, r"line 1: KeyError\('typed'\)"),
        ({"image": "page.png", "kind": "printed"}, r"line 1: KeyError\('text'\)"),
        ({"image": "page.png", "lines": [{"bbox": [1, 2], "text": "a", "kind": "printed"}]}, "line 1: Value"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: dict[str, object], message: str) -> None:
    draw("1").save(tmp_path / "page.png")
    (tmp_path / "labels.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(LabelError, match=message):
        write_set(OwnSet(tmp_path), tmp_path / "out")


def test_a_set_without_a_usable_line_or_no_set_at_all_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv(tmp_path, [("1", "漢字")])
    with pytest.raises(LabelError, match="no line that can be used"):
        write_set(OwnSet(path), tmp_path / "out")
    arguments = ["train", "--run", str(tmp_path / "run"), "--steps", "1"]
    assert recognition.main([*arguments, "--set", str(tmp_path / "nothing.csv")]) == 1
    assert "nothing.csv: neither a CSV file nor a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="nothing to train on"):
        recognition.main(arguments)
