"""The YOLO engine on tiny weights made here, and the training loop from end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments import geometry
from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.page_engine import PageEngine
from deployments.detection.preprocess import A4_ASPECT, InputSpec
from deployments.detection.yolo import YoloEngine
from deployments.detection.yolo_boxes import Selection, select_lines
from deployments.detection.yolo_network import build_network, for_inference, predict
from deployments.errors import StageFailed
from deployments.types import Image
from deployments.weights import WeightsError, sha256
from training import checkpoints, detection
from training.detection_augment import Variation
from training.detection_data import PageSource
from training.detection_evaluation import detect, evaluate
from training.detection_export import export_run
from training.detection_training import Plan, Run
from training.detection_yolo import YoloTask, architecture
from training.mixing import Mix

SPEC = InputSpec(long_side_px=192)
WINDOW = Variation(192, 96, scale=(1.0, 1.0001), squeeze=(1.0, 1.0001), turn_deg=0.0, faint_share=0.0)


def bars_page(seed: int) -> tuple[Image, list[tuple[int, int, int, int]]]:
    """A page of 3 to 5 dashed bars, which stand for lines of text."""
    rng = np.random.default_rng(seed)
    page = np.full((192, 160, 3), 255, np.uint8)
    boxes = []
    for row in range(int(rng.integers(3, 6))):
        x, y, width = int(rng.integers(8, 30)), 14 + row * 34, int(rng.integers(60, 110))
        for left in range(x, x + width, 8):
            cv2.rectangle(page, (left, y), (min(left + 5, x + width - 1), y + 15), (20, 20, 20), -1)
        boxes.append((x, y, width, 16))
    return page, boxes


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "images").mkdir()
    rows = []
    for seed in range(8):
        page, boxes = bars_page(seed)
        cv2.imwrite(str(folder / f"images/{seed}.png"), page)
        rows.append({"image": f"images/{seed}.png", "lines": [{"bbox": list(box)} for box in boxes]})
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def make_run(pages: Path, out: Path, steps: int) -> Run:
    task = YoloTask([PageSource(pages)], SPEC, width=0.125, vary=WINDOW)
    return Run(Plan(out, steps=steps, batch=4, rate=4e-3, workers=0, warmup_steps=15, save_every=1000), task)


@pytest.fixture(scope="module")
def trained(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was interrupted once and overfitted the eight pages."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run")
    make_run(pages, out, steps=40).train()
    resumed = make_run(pages, out, steps=180)
    assert resumed.resume() and resumed.step == 40
    resumed.train()
    return out


@pytest.fixture(scope="module")
def engine(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> YoloEngine:
    out = tmp_path_factory.mktemp("weights") / "tiny"
    weight = export_run("yolo", trained, out, {"data": ["bars"]}, SPEC)
    engine = YoloEngine(DetectionArgs(weights=str(weight), device="cpu"))
    engine.warm_up()
    return engine


def test_the_loss_falls_and_the_curve_is_kept(trained: Path) -> None:
    rows = (trained / "curve.csv").read_text().splitlines()
    losses = [float(row.split(",")[4]) for row in rows[1:]]
    assert rows[0].startswith("step,minutes") and rows[-1].startswith("180,")
    assert losses[-1] < 0.75 * losses[0]


def test_a_run_is_mixed_with_a_weight_that_was_there(trained: Path, tmp_path: Path) -> None:
    alone = export_run("yolo", trained, tmp_path / "alone", {}, SPEC)
    values = load_file(alone / "model.safetensors")
    earlier = tmp_path / "earlier"
    shutil.copytree(alone, earlier)
    nothing = {name: torch.zeros_like(value) for name, value in values.items()}
    save_file(nothing, earlier / "model.safetensors")
    metadata = json.loads((earlier / "metadata.json").read_text(encoding="utf-8"))
    metadata["sha256"]["model.safetensors"] = sha256(earlier / "model.safetensors")
    (earlier / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    mixed = export_run("yolo", trained, tmp_path / "mixed", {}, SPEC, Mix(str(earlier), 0.25))
    for name, value in load_file(mixed / "model.safetensors").items():
        if value.is_floating_point():
            torch.testing.assert_close(value.float(), 0.75 * values[name].float(), rtol=0.01, atol=1e-4)
    told = json.loads((mixed / "metadata.json").read_text(encoding="utf-8"))["training"]
    assert (told["mixed_with"], told["share"]) == ("earlier", 0.25)


def test_any_user_may_read_an_exported_weight(trained: Path, tmp_path: Path) -> None:
    weight = export_run("yolo", trained, tmp_path / "tiny", {}, SPEC)
    assert weight.joinpath("model.safetensors").stat().st_mode & 0o777 == 0o644


def test_the_exported_weight_finds_the_lines_it_learned(engine: YoloEngine, pages: Path) -> None:
    counts = evaluate(engine, PageSource(pages).pages()).counts
    assert counts.f1 > 0.9
    assert counts.mean_iou > 0.7


def test_quads_follow_a_turned_page(engine: YoloEngine) -> None:
    page, _ = bars_page(0)
    big = np.full((300, 280, 3), 255, np.uint8)
    big[50:242, 60:220] = page
    affine, size = geometry.rotation(6.0, 280, 300)
    lines = detect(engine, geometry.warp(big, affine, size, fill=255))
    assert lines.skew_deg == pytest.approx(6.0, abs=0.5)
    for line in lines.lines:
        along = line.quad[1] - line.quad[0]
        assert np.degrees(np.arctan2(-along[1], along[0])) == pytest.approx(6.0, abs=0.6)


def test_a_batch_of_unlike_pages_gives_what_each_gives_alone(engine: YoloEngine) -> None:
    images = [bars_page(1)[0], bars_page(2)[0][:108], bars_page(3)[0][:142]]
    prepared = [item for item in engine.prepare(images) if not isinstance(item, StageFailed)]
    together = engine.finish(engine.forward(prepared))
    for page, batched in zip(images, together, strict=True):
        alone = detect(engine, page)
        assert len(alone.lines) == len(batched.lines)
        for one, other in zip(alone.lines, batched.lines, strict=True):
            assert geometry.quad_iou(one.quad, other.quad) > 0.75


def test_a_bad_item_fails_alone(engine: YoloEngine) -> None:
    outcomes = engine.prepare([np.zeros((0, 9, 3), np.uint8), bars_page(0)[0]])
    assert isinstance(outcomes[0], StageFailed) and not isinstance(outcomes[1], StageFailed)


def test_thresholds_change_live(engine: YoloEngine) -> None:
    page, _ = bars_page(4)
    try:
        engine.configure(DetectionTuning(max_lines=2))
        assert len(detect(engine, page).lines) == 2
        engine.configure(DetectionTuning(confidence=0.999))
        assert detect(engine, page).lines == ()
        with pytest.raises(TypeError):
            engine.configure({"confidence": 0.1})
    finally:
        engine.configure(DetectionTuning())


def test_an_ultralytics_file_loads(tmp_path: Path) -> None:
    from ultralytics import YOLO

    path = tmp_path / "custom.pt"
    YOLO("yolov8n.yaml", verbose=False).save(path)
    engine = YoloEngine(DetectionArgs(weights=str(path), device="cpu"))
    assert engine.spec.squeeze == 1
    engine.configure(DetectionTuning(confidence=0.9))
    assert detect(engine, bars_page(0)[0]).lines == ()


def test_weights_that_are_not_there_or_do_not_fit_say_so(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(WeightsError, match="nothing-here"):
        YoloEngine(DetectionArgs(weights="nothing-here"))
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match="cannot load"):
        YoloEngine(DetectionArgs(weights=str(broken)))
    (tmp_path / "bare").mkdir()
    with pytest.raises(WeightsError, match=r"metadata\.json"):
        YoloEngine(DetectionArgs(weights=str(tmp_path / "bare")))
    weight = export_run("yolo", trained, tmp_path / "other", {}, SPEC)
    metadata = json.loads((weight / "metadata.json").read_text())
    metadata["architecture"]["scales"]["l"][1] = 0.25
    (weight / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(WeightsError, match="architecture"):
        YoloEngine(DetectionArgs(weights=str(weight)))


@pytest.mark.parametrize("long_side_px", [640, 2048])
def test_the_page_of_warm_up_is_as_large_as_the_network_sees_any(long_side_px: int) -> None:
    largest = PageEngine(InputSpec(long_side_px=long_side_px, squeeze=1.0)).largest()
    assert largest.payload.pixels.shape == (largest.height, largest.width, 3)
    assert largest.height == long_side_px
    assert largest.width >= long_side_px / A4_ASPECT


def test_a_set_in_yolo_format_trains(tmp_path: Path) -> None:
    (tmp_path / "images/train").mkdir(parents=True)
    (tmp_path / "labels/train").mkdir(parents=True)
    page, boxes = bars_page(5)
    cv2.imwrite(str(tmp_path / "images/train/a.png"), page)
    rows = [f"0 {(x + w / 2) / 160} {(y + h / 2) / 192} {w / 160} {h / 192}" for x, y, w, h in boxes]
    (tmp_path / "labels/train/a.txt").write_text("\n".join(rows))
    (tmp_path / "set.yaml").write_text("path: .\ntrain: images/train\nnames: {0: line}\n")
    (found,) = PageSource.parse(str(tmp_path / "set.yaml")).pages()
    np.testing.assert_allclose(found.boxes, np.array(boxes), atol=0.01)
    make_run(tmp_path / "set.yaml", tmp_path / "run", steps=1).train()
    assert checkpoints.load(tmp_path / "run" / checkpoints.LAST)["step"] == 1  # type: ignore[index]


def test_training_goes_on_from_a_weight(pages: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    sources = ["--pages", str(pages), "--width", "0.125", "--batch", "1", "--threads", "1"]
    detection.main(["train", *sources, "--out", str(first), "--steps", "1", "--rate", "0"])
    weight = export_run("yolo", first, tmp_path / "weight", {})
    again = tmp_path / "again"
    further = [*sources, "--out", str(again), "--steps", "1", "--rate", "0", "--seed", "9"]
    detection.main(["train", *further, "--start-from", str(weight)])
    before, after = (checkpoints.load(run / checkpoints.LAST) for run in (first, again))
    assert before is not None and after is not None
    name = "model.0.conv.weight"
    torch.testing.assert_close(after["network"][name], before["network"][name], atol=1e-3, rtol=1e-3)
    with pytest.raises(SystemExit, match="not of the network that is trained"):
        wide = ["--out", str(tmp_path / "wide"), "--steps", "1"]
        detection.main(["train", "--pages", str(pages), *wide, "--start-from", str(weight)])


def test_mistakes_on_the_command_line_are_told_in_a_sentence(pages: Path, tmp_path: Path) -> None:
    verb = ["train", "--out", str(tmp_path / "run"), "--pages"]
    with pytest.raises(SystemExit, match="--minutes or --steps"):
        detection.main([*verb, str(pages)])
    with pytest.raises(SystemExit, match="nowhere"):
        detection.main([*verb, str(tmp_path / "nowhere"), "--steps", "1"])
    with pytest.raises(SystemExit, match=r"is not PATH\[:ROWS\]"):
        detection.main([*verb, f"{pages}*x", "--steps", "1"])


def test_training_is_repeatable(pages: Path, tmp_path: Path) -> None:
    one, other = (make_run(pages, tmp_path / name, steps=1) for name in ("a", "b"))
    one.train()
    other.train()
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name


def test_bf16_does_not_blur_where_boxes_lie() -> None:
    """Decoded in bf16, a box far down a page would jump by whole strides."""
    torch.manual_seed(0)
    network = for_inference(build_network(architecture(width=0.125)), torch.device("cpu"))
    images = torch.rand(1, 3, 1280, 64)
    with torch.inference_mode():
        exact, _ = predict(network, images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough, _ = predict(network, images)
    assert (exact - rough).abs().max() < 3


def test_selection_drops_duplicates_and_fragments() -> None:
    boxes = np.array([[0, 0, 100, 10], [2, 0, 102, 10], [10, 1, 40, 9], [0, 20, 100, 30]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    kept, kept_scores = select_lines(boxes, scores, Selection(0.5, 0.8, 10))
    assert kept.tolist() == [[0, 0, 100, 10], [0, 20, 100, 30]]
    np.testing.assert_allclose(kept_scores, [0.9, 0.6])
    assert len(select_lines(boxes, scores, Selection(0.5, 0.8, max_lines=1))[0]) == 1
    assert len(select_lines(boxes[:0], scores[:0], Selection(0.5, 0.8, 1))[0]) == 0


def test_pieces_of_a_line_are_joined_and_neighbours_are_not() -> None:
    pieces = [[0, 0, 60, 10], [50, 1, 120, 11], [130, 0, 200, 10], [0, 7, 60, 17]]
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    kept, kept_scores = select_lines(np.array(pieces, np.float32), scores, Selection(0.5, 0.8, 10))
    # The third lies beside them, the fourth shares 3 of 17 rows with the first.
    assert kept.tolist() == [[0, 0, 120, 10], [130, 0, 200, 10], [0, 7, 60, 17]]
    np.testing.assert_allclose(kept_scores, [0.9, 0.7, 0.6])


def test_a_weak_box_over_a_label_and_its_answer_is_left_with_the_answer() -> None:
    boxes = [[0, 4, 60, 14], [0, 0, 200, 20], [0, 40, 60, 50], [70, 40, 200, 50], [0, 36, 205, 54]]
    scores = np.array([0.9, 0.4, 0.8, 0.7, 0.3], np.float32)
    kept, kept_scores = select_lines(np.array(boxes, np.float32), scores, Selection(0.5, 0.8, 10))
    # The last one has nothing of its own beside the label and the answer that were found.
    assert kept.tolist() == [[0, 4, 60, 14], [0, 40, 60, 50], [70, 40, 200, 50], [60, 0, 200, 20]]
    np.testing.assert_allclose(kept_scores, [0.9, 0.8, 0.7, 0.4])


def test_a_weak_box_that_begins_within_a_label_is_left_with_the_answer() -> None:
    boxes, scores = (
        np.array([[270, 42, 327, 69], [281, 23, 442, 73]], np.float32),
        np.array([0.6, 0.4], np.float32),
    )
    kept, _ = select_lines(boxes, scores, Selection(0.5, 0.8, 10))
    assert kept.tolist() == [[270, 42, 327, 69], [327, 23, 442, 73]]


def test_a_taller_box_that_begins_in_the_middle_of_a_label_does_not_read_its_end() -> None:
    boxes = np.array([[558, 1178, 673, 1206], [614, 1157, 905, 1211]], np.float32)
    kept, _ = select_lines(boxes, np.array([0.6, 0.4], np.float32), Selection(0.5, 0.8, 10))
    assert kept.tolist() == [[558, 1178, 673, 1206], [673, 1157, 905, 1211]]


def test_crowded_lines_that_share_some_of_their_height_stay_whole() -> None:
    boxes = np.array([[0, 0, 300, 30], [100, 18, 420, 48]], np.float32)
    kept, _ = select_lines(boxes, np.array([0.6, 0.4], np.float32), Selection(0.5, 0.8, 10))
    assert kept.tolist() == boxes.tolist()
