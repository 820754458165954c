from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from deployments import geometry
from deployments.detection.preprocess import InputSpec
from training.detection_augment import Straightened, Variation, cut_window, draw_view, lean, quads_skew
from training.detection_data import (
    DataError,
    LabelledPage,
    PageSource,
    load_image,
    read_labels,
    read_yolo,
)
from training.detection_heatmaps import CharacterLine, draw_heatmaps, read_characters

FIXED = Variation(64, 64, scale=(1.0, 1.0001), squeeze=(1.0, 1.0001), turn_deg=0.0, near_share=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 80, 3), 255, np.uint8))
    polygon = [[0, 5], [30, 0], [30, 10], [0, 15]]
    rows = [
        {"image": "a.png", "lines": [{"bbox": [1, 2, 30, 10]}]},
        {"image": "a.png", "lines": [{"polygon": polygon, "bbox": [0, 0, 30, 15]}]},
        {"image": "a.png", "lines": []},
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return tmp_path


def test_boxes_and_polygons_are_read(folder: Path) -> None:
    boxed, slanted, empty = PageSource(folder).pages()
    assert boxed.boxes.tolist() == [[1, 2, 30, 10]] and not boxed.is_exact
    assert slanted.quads[0].tolist() == [[0, 5], [30, 0], [30, 10], [0, 15]] and slanted.is_exact
    assert empty.quads.shape == (0, 4, 2) and empty.boxes.shape == (0, 4)
    assert load_image(boxed.image).shape == (50, 80, 3)


def test_rows_count_from_the_start_or_the_end(folder: Path) -> None:
    assert PageSource.parse(f"{folder}:2*0.5") == PageSource(folder, 2, 0.5)
    assert len(PageSource.parse(f"{folder}:2").pages()) == 2
    assert [len(page.quads) for page in PageSource.parse(f"{folder}:-2").pages()] == [1, 0]


@pytest.mark.parametrize("text", ["a:b", "a*b", "a:1:2"])
def test_a_source_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="PATH"):
        PageSource.parse(text)


@pytest.mark.parametrize(
    "row",
    ["not json", "{}", '{"image": "a", "lines": [{}]}', '{"image": "a", "lines": [{"polygon": [[0, 0]]}]}'],
)
def test_bad_rows_are_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "labels.jsonl").write_text(row)
    with pytest.raises(DataError, match=r"labels\.jsonl:1"):
        PageSource(tmp_path).pages()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.jsonl"):
        PageSource(tmp_path).pages()
    with pytest.raises(DataError, match="image"):
        load_image(tmp_path / "image.png")
    with pytest.raises(DataError, match=r"chars\.jsonl"):
        list(read_characters(tmp_path))
    (tmp_path / "set.yaml").write_text("path: .\n")
    with pytest.raises(DataError, match="train"):
        PageSource(tmp_path / "set.yaml").pages()


def test_yolo_rows_are_checked(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((100, 200, 3), np.uint8))
    (tmp_path / "set.yaml").write_text("train: images\n")
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.5 0.2\n\n3 0.1 0.1 0.3 0.1 0.3 0.4\n")
    (page,) = PageSource(tmp_path / "set.yaml").pages()
    np.testing.assert_allclose(page.boxes, [[50, 40, 100, 20], [20, 10, 40, 30]], atol=1e-4)
    (tmp_path / "labels/a.txt").write_text("\n0 0.5 0.5 0.5\n")
    with pytest.raises(DataError, match=r"a\.txt:2"):
        PageSource(tmp_path / "set.yaml").pages()


def yolo_set(folder: Path, description: str) -> PageSource:
    """A set with one image in ``images/train`` and one in ``images/val``, neither with a line."""
    for split in ("train", "val"):
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
        (folder / f"labels/{split}/{split}.txt").touch()
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"images/{split}/{split}.png"), np.zeros((10, 20, 3), np.uint8))
    (folder / "set.yaml").write_text(description)
    return PageSource(folder / "set.yaml")


def names(pages: list[LabelledPage]) -> list[str]:
    return [page.image.stem for page in pages]


def test_a_yolo_set_is_evaluated_on_its_own_split(tmp_path: Path) -> None:
    source = yolo_set(tmp_path, "train: images/train\nval: images/val\n")
    assert (names(source.pages()), names(source.pages("val"))) == (["train"], ["val"])
    assert names(yolo_set(tmp_path, "train: images/train\nval:\n").pages("val")) == ["train"]


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ("path:\ntrain: images/train\n", ["train"]),
        ("train: [images/train, images/val]\n", ["train", "val"]),
        ("path: ./\ntrain: train.txt\n", ["train", "val"]),
    ],
)
def test_yolo_sets_are_read_as_tools_write_them(tmp_path: Path, description: str, found: list[str]) -> None:
    (tmp_path / "train.txt").write_text("images/train/train.png\ndata/images/val/val.png\n")
    assert names(yolo_set(tmp_path, description).pages()) == found


def test_a_yolo_set_whose_labels_lie_elsewhere_is_no_set_of_empty_pages(tmp_path: Path) -> None:
    source = yolo_set(tmp_path, "train: images/train\n")
    (tmp_path / "labels/train/train.txt").unlink()
    with pytest.raises(DataError, match=r"no image has a label, the first not in .*labels/train/train\.txt"):
        source.pages()


@pytest.mark.parametrize("place", ["gone", "gone.txt", "[5]"])
def test_a_yolo_split_that_is_not_there_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(DataError, match="no such folder or list of images"):
        yolo_set(tmp_path, f"train: {place}\n").pages()


def test_boxes_without_height_or_width_are_left_out(tmp_path: Path) -> None:
    source = yolo_set(tmp_path, "train: images/train\n")
    (tmp_path / "labels/train/train.txt").write_text("0 .5 .5 0 0\n0 .5 .5 .5 .5\n0 .2 .2 .3 0\n")
    assert len(source.pages()[0].quads) == 1
    lines = [{"bbox": [5, 5, 0, 0], "text": "a"}, {"bbox": [1, 2, 8, 4], "text": "b"}]
    row = {"image": "images/train/train.png", "lines": [*lines, {"bbox": [5, 5, 3, 0], "text": "c"}]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    (page,) = PageSource(tmp_path).pages()
    assert (page.boxes.tolist(), page.texts) == ([[1, 2, 8, 4]], ("b",))
    assert Straightened.of(page).line_px > 0


def test_a_leaning_line_fills_its_box() -> None:
    quad = lean(np.array([[100, 50, 400, 70]], np.float32), 5.0)[0]
    # tan 5 degrees over 400 px is 35 px: the other 35 px of the box are the line's own height.
    assert quad_height(quad) == pytest.approx(35, abs=0.1)
    assert geometry.quad_bounds(quad) == pytest.approx((100, 50, 400, 70), abs=0.1)
    assert quads_skew(quad[None]) == pytest.approx(5.0, abs=0.01)
    upright = lean(np.array([[100, 50, 400, 70]], np.float32), 0.0)[0]
    np.testing.assert_allclose(upright, geometry.quad_from_box((100, 50, 400, 70)))


def quad_height(quad: np.ndarray) -> float:
    return float(quad[3, 1] - quad[0, 1])


@pytest.mark.parametrize("skew_deg", [0.0, 4.0, -9.0])
def test_boxes_of_a_window_lie_on_the_ink(skew_deg: float) -> None:
    straight = np.full((300, 260, 3), 255, np.uint8)
    straight[140:152, 90:170] = 0
    affine, size = geometry.rotation(skew_deg, 260, 300)
    page = geometry.warp(straight, affine, size, fill=255)
    quad = geometry.transform_points(geometry.quad_from_box((90, 140, 80, 12)), affine)
    rng = np.random.default_rng(3)
    vary = Variation(300, 160, scale=(0.9, 1.1), squeeze=(0.9, 1.1), turn_deg=0.0, near_share=0.0)
    for _ in range(5):
        window = cut_window(Straightened(page, quad[None], skew_deg), InputSpec(), vary, rng)
        for x, y, width, height in window.boxes * np.array([160, 300, 160, 300]):
            left, top, bottom = round(x - width / 2), round(y - height / 2), round(y + height / 2)
            columns = window.pixels[:, left : round(x)]
            assert columns[top:bottom].mean() + 60 < columns[max(0, top - 8) : top - 2].mean()
            assert height == pytest.approx(12, abs=4)


def test_narrow_pages_train_as_wide_as_they_are_served() -> None:
    """A receipt 400 px wide at its own size, where a page of A4 would lose half its width."""
    receipt = Straightened(np.full((1280, 400, 3), 255, np.uint8), np.zeros((0, 4, 2), np.float32), 0.0)
    spec = InputSpec(long_side_px=1280, squeeze=0.5, narrow_squeeze=0.7)
    vary = Variation(640, 448, scale=(1.0, 1.0001), squeeze=(1.0, 1.0001), turn_deg=0.0, near_share=0.0)
    view = draw_view(receipt, spec, vary, np.random.default_rng(4))
    assert view.from_page[0, 0] == pytest.approx(0.7, rel=0.01)
    assert view.from_page[1, 1] == pytest.approx(1.0, rel=0.01)


def test_pages_are_also_seen_from_near() -> None:
    page = Straightened(
        np.full((400, 300, 3), 255, np.uint8), geometry.quad_from_box((20, 100, 200, 20))[None], 0.0
    )
    vary = Variation(640, 448, turn_deg=0.0, near_share=1.0, near_line_px=(30.0, 80.0))
    rng = np.random.default_rng(2)
    drawn = [cut_window(page, InputSpec(), vary, rng).boxes * 640 for _ in range(40)]
    heights = [float(boxes[0, 3]) for boxes in drawn if len(boxes)]
    assert min(heights) < 35 and 50 < max(heights) < 61  # 20 px, enlarged by no more than three


def test_windows_repeat_from_a_seed_and_drop_what_they_cut_off(tmp_path: Path) -> None:
    page = Straightened(
        np.full((64, 128, 3), 255, np.uint8), geometry.quad_from_box((10, 50, 60, 40))[None], 0.0
    )
    one, other = (cut_window(page, InputSpec(), FIXED, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.boxes.shape == (0, 4)  # only 14 of 40 px of the line are on the page
    assert LabelledPage(tmp_path, page.quads, False).boxes.shape == (1, 4)


def test_heatmaps_by_hand() -> None:
    quads = np.stack([geometry.quad_from_box((left, 8, 8, 16)) for left in (8, 16, 40)])
    line = CharacterLine(quads.astype(np.float32))
    maps = draw_heatmaps((line,), np.array([[0.5, 0, 0], [0, 0.5, 0]]), (32, 16))
    assert maps.shape == (3, 16, 32) and maps.max() <= 1
    # Middles on the map: (6, 8), (10, 8), (22, 8); sides 4 x 8, so sigma is 1 x 2.
    assert maps[0, 8, 6] == pytest.approx(np.exp(-(0.5**2) / 2 - (0.25**2) / 2), rel=1e-4)
    assert maps[0, 8, 8] < maps[0, 8, 6]
    # Affinity lies between neighbours, (8, 8) and (16, 8), and over the space of 8 px without a break.
    assert int(maps[1, 8, :12].argmax()) in (7, 8)
    assert maps[1, 8, 12:20].min() > 0.6 and maps[1, 8, 26:].max() < 0.15
    assert maps[1, 3, 12:20].max() < 0.2  # lower than the characters: lines stay apart
    assert (maps[2] == 1).all()


def test_doubted_characters_lower_the_confidence_where_they_stand() -> None:
    quads = np.stack([geometry.quad_from_box((left, 8, 8, 16)) for left in (8, 16)]).astype(np.float32)
    line = CharacterLine(quads, confidence=0.75)
    confidence = draw_heatmaps((line,), np.array([[0.5, 0, 0], [0, 0.5, 0]]), (32, 16))[2]
    assert (confidence[4:12, 4:12] == 0.75).all()
    assert (confidence < 1).sum() == 64


def test_roboflows_paths_are_found_where_ultralytics_finds_them(tmp_path: Path) -> None:
    (tmp_path / "train" / "images").mkdir(parents=True)
    (tmp_path / "train" / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "train" / "images" / "a.png"), np.full((50, 100), 200, np.uint8))
    (tmp_path / "train" / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.1\n")
    (tmp_path / "data.yaml").write_text("train: ../train/images\n")
    (page,) = read_yolo(tmp_path / "data.yaml")
    np.testing.assert_allclose(page.quads[0][0], (40, 22.5))


@pytest.mark.parametrize(
    "row", ["0 100 50 80 20", "0 nan 0.5 0.2 0.1", "0 0.1 0.1 0.2 0.1 0.2 inf", "0 -2 0 0.1 0.1"]
)
def test_coordinates_that_are_no_fractions_are_refused_with_their_row(tmp_path: Path, row: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((100, 200), 200, np.uint8))
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 1.01 0.1\n{row}\n")
    (tmp_path / "data.yaml").write_text("train: .\n")
    with pytest.raises(DataError, match=r"a\.txt:2: coordinates are fractions"):
        list(read_yolo(tmp_path / "data.yaml"))


def test_a_page_without_its_picture_is_named_before_training(tmp_path: Path) -> None:
    line = '{"image": "a.png", "lines": [{"bbox": [1, 2, 30, 4], "polygon": null, "text": "x"}]}'
    (tmp_path / "labels.jsonl").write_text("\ufeff" + line, encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.jsonl:1: .*no image 'a\.png'"):
        list(read_labels(tmp_path))
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 100), 200, np.uint8))
    (page,) = read_labels(tmp_path)
    assert len(page.quads) == 1 and not page.is_exact
