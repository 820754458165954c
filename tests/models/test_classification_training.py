from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments.classification.config import ClassificationArgs, EngineName
from deployments.classification.engines import build_engine
from deployments.classification.scores import KINDS
from deployments.engine import Prepared
from deployments.types import Kind, KindScore
from deployments.weights import TENSORS, WeightsError, resolve
from training import classification
from training.classification_augment import MAX_HEIGHT_PX, augment
from training.classification_data import (
    CALIBRATION_EVERY,
    LabelledCrop,
    LinePlan,
    Mixture,
    SourceLine,
    labelled_crops,
    real_lines,
    training_lines,
)
from training.classification_evaluation import summarise, table
from training.classification_models import TrainableClip, TrainableCnn, trainable
from training.classification_renditions import RenditionSet, render
from training.classification_training import Recipe, Training, averaged
from training.labelled_lines import TRAINING_ROWS

Grey = np.ndarray


def line(kind: Kind, seed: int) -> SourceLine:
    """Print: upright bars of one width. Handwriting: one wavering stroke."""
    rng = np.random.default_rng(seed)
    grey = np.full((48, 200), 230, np.uint8)
    if kind is Kind.PRINTED:
        for x in range(10, 190, 18):
            grey[10:38, x : x + 6] = 20
    else:
        x = np.arange(8, 192, 4)
        y = 24 + np.cumsum(rng.normal(0, 4, len(x))).clip(-16, 16)
        cv2.polylines(grey, [np.stack([x, y], 1).astype(np.int32)], False, 20, 2, cv2.LINE_AA)
    return SourceLine(grey, 0, kind, "faces")


LINES = [line(kind, seed) for kind in KINDS for seed in range(6)]


@pytest.fixture(scope="module")
def renditions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("renditions")
    render(LINES, 96, seed=3, directory=folder)
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled sets in the format of the real ones: 20 pages each, three lines a page."""
    root = tmp_path_factory.mktemp("sets")
    for number, name in enumerate(TRAINING_ROWS):
        (root / name / "images").mkdir(parents=True)
        kind = KINDS[number % 2]
        rows = []
        for i in range(TRAINING_ROWS[name] + 3):
            # Enough pages with lines on them to train, to calibrate and to judge.
            page = np.full((220, 260, 3), 235, np.uint8)
            boxes = []
            for j in range(3 if i < 12 or i >= TRAINING_ROWS[name] else 0):
                page[10 + 60 * j : 58 + 60 * j, 20:220] = line(kind, 10 * i + j).grey[..., None]
                boxes.append({"bbox": [20, 10 + 60 * j, 200, 48], "text": f"{i}.{j}", "kind": kind.value})
            cv2.imwrite(str(root / name / "images" / f"{i}.png"), page)
            rows.append({"image": f"images/{i}.png", "lines": boxes})
        (root / name / "labels.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return root


def test_the_splits_share_no_page(sets: Path) -> None:
    name = "typewritten_en"
    texts = {
        part: {crop.text.split(".")[0] for crop in labelled_crops(sets, name, part)}
        for part in ("training", "calibration", "evaluation")
    }
    assert texts["evaluation"] == {"22", "23", "24"}
    assert texts["calibration"] == {str(CALIBRATION_EVERY - 1)}
    assert texts["training"] == {str(i) for i in range(12)} - {"9"}


def test_lines_to_learn_from_bring_their_surroundings(sets: Path) -> None:
    first = next(real_lines(sets, "typewritten_en"))
    assert first.margin_px == 12 and first.grey.shape == (72, 224)


def test_a_set_of_ones_own_is_learnt_from_whole(sets: Path) -> None:
    plan = LinePlan(sets, sets=(sets / "typewritten_en",), without=("faces", "strokes"))
    own = [line for line in training_lines(plan) if line.source == "sets"]
    rows = (sets / "typewritten_en" / "labels.jsonl").read_text().splitlines()
    assert len(own) == sum(len(json.loads(row)["lines"]) for row in rows) == 45
    assert Counter(line.source for line, _ in _drawn(own, 40)) == {"sets": 40}


def _drawn(lines: list[SourceLine], number: int) -> list[tuple[SourceLine, int]]:
    both = [*lines, *(replace(one, kind=kind) for one in lines for kind in KINDS)]
    mixture, rng = Mixture(both), np.random.default_rng(0)
    return [mixture.draw(rng) for _ in range(number)]


def test_kinds_are_drawn_equally_often_whatever_the_number_of_lines() -> None:
    lines = [line(Kind.PRINTED, i) for i in range(30)] + [line(Kind.HANDWRITTEN, 0)]
    mixture, rng = Mixture(lines), np.random.default_rng(0)
    kinds = [mixture.draw(rng)[1] for _ in range(400)]
    assert 160 < sum(kinds) < 240
    with pytest.raises(ValueError, match="no printed lines"):
        Mixture([line(Kind.HANDWRITTEN, 0)])


def test_renditions_differ_and_keep_their_bounds() -> None:
    rng = np.random.default_rng(0)
    made = [augment(LINES[0].grey, 0, LINES[-1].grey, rng) for _ in range(60)]
    assert all(grey.dtype == np.uint8 and 1 <= grey.shape[0] <= MAX_HEIGHT_PX for grey in made)
    assert len({grey.tobytes() for grey in made}) == len(made)


def test_one_seed_gives_the_same_renditions(renditions: Path, tmp_path: Path) -> None:
    render(LINES, 96, seed=3, directory=tmp_path)
    spec = TrainableCnn().spec
    first, second = RenditionSet(renditions, spec, 0), RenditionSet(tmp_path, spec, 0)
    for i in (0, 50, 95, 96, 200):
        assert np.array_equal(first[i][0], second[i][0]) and first[i][1] == second[i][1]
    order = [first[i][0].tobytes() for i in range(96)]
    again = [first[96 + i][0].tobytes() for i in range(96)]
    assert order != again and sorted(order) == sorted(again)


def test_a_folder_without_renditions_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="render"):
        RenditionSet(tmp_path, TrainableCnn().spec, 0)


@pytest.mark.parametrize("engine", ["cnn", "clip"])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    engine: str, renditions: Path, tmp_path: Path
) -> None:
    recipe = Recipe(minutes=None, steps=4, batch=8, warmup_steps=2)
    device = torch.device("cpu")

    def run(name: str, *stops: int) -> dict[str, torch.Tensor]:
        for stop in stops:
            torch.manual_seed(0)
            training = Training(trainable(engine), renditions, recipe, tmp_path / name, device)
            _run_until(training, stop)
        state: dict[str, torch.Tensor] = torch.load(tmp_path / name / "last.pt")["average"]["values"]
        return state

    whole, parts = run("whole", 4), run("parts", 2, 4)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, msg=name)


def _run_until(training: Training, step: int) -> None:
    progress = training.budget.progress
    training.budget.progress = lambda now: 1.0 if now >= step else progress(now)  # type: ignore[method-assign]
    training.run()


def test_a_run_is_not_continued_with_another_seed(renditions: Path, tmp_path: Path) -> None:
    recipe = Recipe(minutes=None, steps=1, batch=8)
    Training(TrainableCnn(), renditions, recipe, tmp_path, torch.device("cpu")).run()
    with pytest.raises(ValueError, match="was begun with seed 0"):
        Training(TrainableCnn(), renditions, replace(recipe, seed=1), tmp_path, torch.device("cpu"))


def test_words_that_no_prompt_teaches_say_nothing() -> None:
    classifier = TrainableClip()
    table_of_words = classifier.module.token_embedding.weight
    assert 50 < int((table_of_words != 0).any(dim=1).sum()) < 200


def test_prompts_of_the_other_kind_raise_the_loss() -> None:
    torch.manual_seed(0)
    classifier = TrainableClip()
    pixels = torch.randn(8, 3, classifier.spec.height_px, classifier.spec.width_px)
    kinds = torch.tensor([0, 1] * 4)
    optimizer = torch.optim.Adam(classifier.module.parameters(), lr=2e-3)
    for _ in range(12):
        loss = classifier.loss(pixels, kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right, wrong = classifier.loss(pixels, kinds), classifier.loss(pixels, 1 - kinds)
    assert right < 0.7 * wrong


@pytest.mark.parametrize("engine", ["cnn", "clip"])
def test_a_shipped_weight_is_trained_further(engine: EngineName, renditions: Path, tmp_path: Path) -> None:
    name = f"{engine}-kind"
    train = ["train", "--engine", engine, "--renditions", str(renditions), "--run", str(tmp_path)]
    train += ["--steps", "1", "--batch", "8", "--rate", "1e-6", "--start-from", name]
    classification.main(train)
    values = torch.load(tmp_path / "last.pt")["average"]["values"]
    shipped = load_file(resolve(name, engine).file(trainable(engine).tensors))
    weights = [key for key, value in shipped.items() if value.is_floating_point() and "running_" not in key]
    assert all(torch.allclose(values[key], shipped[key].float(), atol=1e-4) for key in weights)


def test_the_mean_with_the_weight_before_is_exported_and_told(
    renditions: Path, sets: Path, tmp_path: Path
) -> None:
    run, weights = tmp_path / "run", tmp_path / "mine"
    train = ["train", "--engine", "cnn", "--renditions", str(renditions), "--run", str(run)]
    classification.main([*train, "--steps", "2", "--batch", "8", "--start-from", "cnn-kind"])
    export = ["export", "--engine", "cnn", "--data", str(sets), "--run", str(run), "--to", str(weights)]
    classification.main([*export, "--mix", "cnn-kind=0.25", "--learnt", "forms of my bank"])
    shipped = load_file(resolve("cnn-kind", "cnn").file(TENSORS))["classifier.weight"].float()
    trained = torch.load(run / "last.pt")["average"]["values"]["classifier.weight"]
    mean = load_file(weights / TENSORS)["classifier.weight"].float()
    torch.testing.assert_close(mean, (0.25 * shipped + 0.75 * trained).bfloat16().float())
    training = json.loads((weights / "metadata.json").read_text())["training"]
    assert (training["mixed_with"], training["share"], training["learnt"]) == (
        "cnn-kind",
        0.25,
        ["forms of my bank"],
    )
    assert training["started_from"]["name"] == "cnn-kind" and training["started_from"]["steps"] > 1000
    classification.main(["evaluate", "--engine", "cnn", "--data", str(sets), "--weights", str(weights)])
    card = (weights / "README.md").read_text()
    assert (
        "--mix cnn-kind=0.25" in card and "- forms of my bank" in card and "It began with `cnn-kind`" in card
    )


def test_training_further_wants_a_weight_of_the_same_network(tmp_path: Path) -> None:
    facts = {"engine": "cnn", "format": 1, "input": TrainableCnn().spec.model_dump()}
    (tmp_path / "metadata.json").write_text(json.dumps(facts))
    save_file({"classifier.weight": torch.zeros(2, 3)}, tmp_path / TENSORS)
    with pytest.raises(WeightsError, match="not of the network"):
        trainable("cnn", start_from=str(tmp_path))
    with pytest.raises(WeightsError, match="another input"):
        trainable("cnn", binarize=True, start_from="cnn-kind")
    with pytest.raises(WeightsError, match="clip-kind"):
        trainable("cnn", start_from="clip-kind")


@pytest.mark.parametrize("engine", ["cnn", "clip"])
def test_from_lines_to_a_served_weight_by_the_commands(
    engine: EngineName, sets: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "lines"
    render(LINES, 400, seed=0, directory=mine)
    run, weights = tmp_path / "run", tmp_path / "weights"
    steps = "60" if engine == "cnn" else "3"
    common = ["--engine", engine]
    train = ["train", *common, "--renditions", str(mine), "--run", str(run)]
    train += ["--steps", steps, "--batch", "16"]
    assert classification.main(train) == 0
    assert (run / "curve.csv").read_text().startswith("step,minutes")
    classification.main(["export", *common, "--data", str(sets), "--run", str(run), "--to", str(weights)])
    metadata = json.loads((weights / "metadata.json").read_text())
    assert metadata["engine"] == engine and metadata["calibration"]["temperature"] > 0
    assert metadata["training"]["samples"] == int(steps) * 16
    classification.main(["evaluate", *common, "--data", str(sets), "--weights", str(weights)])
    results = json.loads((weights / "results.json").read_text())
    assert results["typewritten_en"]["n"] == 9 and results["all"]["n"] == 9 * len(TRAINING_ROWS)
    if engine == "cnn":
        # Bars against strokes is easy: a few dozen steps must tell held-out lines apart.
        assert results["all"]["accuracy"] >= 0.8
    card = (weights / "README.md").read_text()
    assert f"| all | 63 | {results['all']['accuracy']:.4f} |" in card and "GPL-3.0" in card


def test_the_averaged_weights_of_a_run_are_what_counts(renditions: Path, tmp_path: Path) -> None:
    recipe = Recipe(minutes=None, steps=2, batch=8)
    Training(TrainableCnn(), renditions, recipe, tmp_path, torch.device("cpu")).run()
    classifier = TrainableCnn()
    assert averaged(classifier, tmp_path)["steps"] == 2
    expected = torch.load(tmp_path / "last.pt")["average"]["values"]
    for name, value in classifier.module.state_dict().items():
        assert torch.equal(value, expected[name]), name
    with pytest.raises(FileNotFoundError, match="train first"):
        averaged(classifier, tmp_path / "nowhere")


def test_a_weight_that_learned_from_black_and_white_is_served_with_it(
    renditions: Path, sets: Path, tmp_path: Path
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    train = ["train", "--engine", "cnn", "--renditions", str(renditions), "--run", str(run)]
    train += ["--steps", "1", "--batch", "8"]
    classification.main([*train, "--binarize"])
    with pytest.raises(ValueError, match="another input"):
        classification.main(train)
    export = ["export", "--engine", "cnn", "--data", str(sets), "--run", str(run), "--to", str(weights)]
    classification.main(export)
    engine = build_engine(ClassificationArgs(engine="cnn", weights=str(weights), device="cpu"))
    (prepared,) = engine.prepare([np.dstack([LINES[0].grey] * 3)])
    assert isinstance(prepared, Prepared)
    assert set(np.unique(prepared.payload)) == {0, 255}


def test_results_count_by_hand() -> None:
    image = np.zeros((4, 4, 3), np.uint8)

    def judged(truth: Kind, answer: Kind, confidence: float) -> tuple[LabelledCrop, KindScore]:
        return LabelledCrop(image, truth, "set", "text"), KindScore(answer, confidence)

    result = summarise(
        [
            judged(Kind.PRINTED, Kind.PRINTED, 1.0),
            judged(Kind.PRINTED, Kind.HANDWRITTEN, 0.75),
            judged(Kind.HANDWRITTEN, Kind.HANDWRITTEN, 1.0),
            judged(Kind.HANDWRITTEN, Kind.HANDWRITTEN, 1.0),
        ]
    )
    assert (result.n, result.accuracy, result.printed_recall, result.handwritten_recall) == (
        4,
        0.75,
        0.5,
        1.0,
    )
    assert result.ece == pytest.approx(0.75 / 4)
    assert result.wrong == ("set: text",)
    assert "| mine | 4 | 0.7500 | 0.1875 | 1.0000 | 0.5000 |" in table({"mine": result})
