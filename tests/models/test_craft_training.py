"""Training CRAFT: characters found in lines that are labelled as a whole, and the loss that believes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from deployments.detection.config import DetectionArgs
from deployments.detection.craft import CraftEngine, Heatmaps, load
from deployments.detection.preprocess import InputSpec, fit_page
from deployments.weights import resolve
from training import checkpoints, detection
from training.detection_augment import Variation
from training.detection_craft import CraftTask, dice_loss, focal_loss
from training.detection_data import DataError, PageSource
from training.detection_heatmaps import read_characters
from training.detection_training import Plan, Run
from training.detection_weak import (
    agreement,
    cut_at_peaks,
    line_characters,
    page_characters,
    write_characters,
)

TINY = {
    "depths": [1, 1, 1, 1],
    "hidden_sizes": [8, 8, 16, 16],
    "num_attention_heads": [1, 1, 2, 2],
    "decoder_hidden_size": 16,
}


def bumps(*middles: float, heights: tuple[float, ...] = ()) -> np.ndarray:
    x = np.arange(60) + 0.5
    drawn = [h * np.exp(-((x - m) ** 2) / 8) for m, h in zip(middles, heights or (1.0,) * 9, strict=False)]
    return np.sum(drawn, axis=0).astype(np.float32)


def test_a_profile_is_cut_in_the_valleys_and_blanks_belong_to_nobody() -> None:
    edges = cut_at_peaks(bumps(6, 14, 22, 40, 48))
    assert edges.tolist() == [[2, 9], [9, 18], [18, 26], [36, 43], [43, 52]]


def test_low_bumps_are_part_of_their_neighbours() -> None:
    assert len(cut_at_peaks(bumps(6, 14, 22, heights=(1.0, 0.2, 1.0)))) == 2
    assert len(cut_at_peaks(bumps(10, 30, heights=(1.0, 0.1)))) == 1


@pytest.mark.parametrize("profile", [np.zeros(0, np.float32), np.zeros(9, np.float32)])
def test_nothing_found_is_no_pieces(profile: np.ndarray) -> None:
    assert cut_at_peaks(profile).shape == (0, 2)


def test_agreement_by_hand() -> None:
    assert [agreement(5, 5), agreement(4, 3), agreement(4, 9), agreement(1, 0)] == [1.0, 0.75, 0.0, 0.0]


def found(*middles: float) -> Heatmaps:
    """Maps of a 240 x 80 page with characters at these columns of the map, rows 5 to 14."""
    page = fit_page(np.full((80, 240, 3), 255, np.uint8), SPEC)
    maps = np.zeros((2, 20, 60), np.float32)
    maps[0, 5:15] = bumps(*middles)
    return Heatmaps(page, maps, 4)


SPEC = InputSpec(squeeze=1.0)
LINE = np.array([[8, 20], [232, 20], [232, 60], [8, 60]], np.float32)


def test_as_many_pieces_as_letters_are_believed() -> None:
    line = line_characters(LINE, "abc de", found(6, 14, 22, 40, 48))
    assert line.confidence == 1.0
    assert line.quads[:, 0, 0] == pytest.approx([8, 36, 72, 144, 172])
    assert (line.quads[:, 0, 1] == 20).all() and (line.quads[:, 2, 1] == 60).all()


def test_a_piece_too_few_lowers_the_confidence() -> None:
    line = line_characters(LINE, "abcd ef", found(6, 14, 22, 40, 48))
    assert line.confidence == pytest.approx(5 / 6) and len(line.quads) == 5


def test_where_too_little_agrees_letters_are_equally_wide() -> None:
    line = line_characters(LINE, "one two", found(20))
    assert line.confidence == 0.5
    assert line.quads[:, 0, 0] == pytest.approx(8 + 224 / 7 * np.array([0, 1, 2, 4, 5, 6]))


def test_losses_heed_the_confidence() -> None:
    logits = torch.zeros(1, 2, 4, 4)
    maps = torch.zeros(1, 2, 4, 4)
    maps[..., :2] = 1.0
    sure, unsure = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    unsure[..., 2:] = 0.0
    assert focal_loss(logits, maps, unsure) == pytest.approx(focal_loss(logits, maps, sure).item() / 2)
    logits[..., :2] = 20.0
    assert dice_loss(logits, maps, unsure).item() < 0.02 < dice_loss(logits, maps, sure).item()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labelled pages of drawn words, and a random CRAFT checkpoint."""
    folder = tmp_path_factory.mktemp("craft")
    rows = []
    for number in range(2):
        page = np.full((160, 320, 3), 255, np.uint8)
        lines = []
        for row, text in enumerate(("HELLO WORLD", "CRAFT")):
            cv2.putText(page, text, (12, 50 + 60 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 2)
            width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.2, 2)[0][0]
            lines.append({"bbox": [12, 22 + 60 * row, width, 30], "text": text, "kind": "printed"})
        cv2.imwrite(str(folder / f"{number}.png"), page)
        rows.append(json.dumps({"image": f"{number}.png", "lines": lines}))
    (folder / "labels.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    SegformerForSemanticSegmentation(SegformerConfig(num_labels=2, **TINY)).save_pretrained(folder / "hub")
    return folder


def test_labelled_lines_become_characters_that_craft_learns_from(folder: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    weak = tmp_path / "weak"
    verb = ["characters", "--threads", "1", "--pages", str(folder), "--weights", str(folder / "hub")]
    detection.main([*verb, "--out", str(weak)])
    pages = list(read_characters(weak))
    assert [page.image for page in pages] == [folder / "0.png", folder / "1.png"]
    assert all(len(page.lines) == 2 and 0.5 <= page.lines[0].confidence <= 1 for page in pages)

    vary = Variation(128, 256, scale=(1.0, 1.0001), squeeze=(1.0, 1.0001), turn_deg=0.0)
    task = CraftTask([PageSource(weak, weight=2.0)], TINY, vary=vary)
    plan = Plan(tmp_path / "run", steps=30, batch=2, rate=4e-3, workers=0, warmup_steps=3, save_every=1000)
    losses = []
    run = Run(plan, task)
    advance = run.advance
    run.advance = lambda *batch: losses.append(advance(*batch)) or losses[-1]  # type: ignore[method-assign]
    run.train()
    assert np.mean([row["loss"] for row in losses[-5:]]) < 0.9 * np.mean([row["loss"] for row in losses[:5]])
    assert checkpoints.load(plan.out / checkpoints.LAST) is not None


def test_training_goes_on_from_a_checkpoint_of_the_same_build(folder: Path, tmp_path: Path) -> None:
    weak, out = tmp_path / "weak", tmp_path / "run"
    engine = CraftEngine(DetectionArgs(engine="craft", device="cpu"))
    write_characters(engine, PageSource(folder).pages(), weak)
    verb = ["train", "--engine", "craft", "--pages", str(weak), "--batch", "1", "--threads", "1"]
    detection.main([*verb, "--start-from", "craft-lines", "--steps", "1", "--rate", "0", "--out", str(out)])
    state = checkpoints.load(out / checkpoints.LAST)
    assert state is not None
    name = "decode_head.classifier.weight"
    shipped = dict(load(resolve("craft-lines", "craft")).named_parameters())[name]
    torch.testing.assert_close(state["average"]["values"][name], shipped.float())
    mixed = tmp_path / "mixed"
    export = ["export", "--engine", "craft", "--run", str(out), "--out", str(mixed)]
    detection.main([*export, "--mix", "craft-lines=0.25"])
    values = dict(load(resolve(str(mixed), "craft")).named_parameters())
    torch.testing.assert_close(values[name], shipped)
    assert mixed.joinpath("model.safetensors").stat().st_mode & 0o777 == 0o644
    with pytest.raises(SystemExit, match="not of the network that is trained"):
        detection.main(
            [*verb, "--start-from", str(folder / "hub"), "--out", str(tmp_path / "other"), "--steps", "1"]
        )


def test_pages_without_characters_cannot_train_craft(folder: Path) -> None:
    with pytest.raises(DataError, match="write the pages with their characters"):
        next(iter(CraftTask([PageSource(folder)], TINY).stream(0, 0)))


def test_lines_without_texts_cannot_be_cut(folder: Path) -> None:
    engine = CraftEngine(DetectionArgs(engine="craft", weights=str(folder / "hub"), device="cpu"))
    with pytest.raises(DataError, match="have no texts"):
        page_characters(engine, replace(PageSource(folder).pages()[0], texts=()))


def test_the_shipped_network_cuts_most_letters_of_print_apart(folder: Path) -> None:
    engine = CraftEngine(DetectionArgs(engine="craft", device="cpu"))
    (line, _) = page_characters(engine, PageSource(folder).pages()[0])
    assert line.confidence > 0.5


def test_the_ceiling_is_what_perfect_maps_would_give(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    verb = ["characters", "--threads", "1", "--pages", str(folder), "--weights", str(folder / "hub")]
    detection.main([*verb, "--out", str(tmp_path)])
    sure = ["--tuning", '{"low_text": 0.3, "text_threshold": 0.6, "join_gap": 0.2, "part_gap": 3.0}']
    detection.main(["ceiling", "--pages", f"{tmp_path}:1", *sure])
    assert "precision 1.000  recall 1.000" in capsys.readouterr().out
    detection.main(["ceiling", "--pages", f"{tmp_path}:-1", "--tuning", '{"text_threshold": 0.999}'])
    assert "recall 0.000" in capsys.readouterr().out
