from __future__ import annotations

import numpy as np
import pytest

from deployments.classification.preprocess import (
    InputSpec,
    UnusableCrop,
    fit_line,
    prepare_crops,
    rows_for,
    stretch_contrast,
)
from deployments.engine import Prepared
from deployments.errors import UnreadableDocument
from deployments.types import Image


def spec(**changes: object) -> InputSpec:
    size: dict[str, object] = {"height_px": 32, "width_px": 128}
    values = size | {"channels": 1, "mean": (0.5,), "std": (0.5,)}
    return InputSpec.model_validate(values | changes)


def crop(height: int, width: int, paper: int = 220, ink: int = 30) -> Image:
    """Ink in the left half of the middle rows."""
    image = np.full((height, width, 3), paper, np.uint8)
    image[height // 4 : -(height // 4) or None, : width // 2] = ink
    return image


def columns_of_ink(box: Image) -> list[int]:
    return np.flatnonzero((box[..., 0] < 128).any(axis=0)).tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (64, 64), (17, 900), (200, 3)])
@pytest.mark.parametrize("max_rows", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_fills_one_shape(size: tuple[int, int], max_rows: int, channels: int) -> None:
    colours = (0.5,) * channels
    box = fit_line(crop(*size), spec(max_rows=max_rows, channels=channels, mean=colours, std=colours))
    assert box.shape == (32, 128, channels) and box.dtype == np.uint8 and box.flags.c_contiguous


def test_proportions_are_kept_and_the_rest_is_paper() -> None:
    box = fit_line(crop(64, 128), spec())  # 64 x 128 becomes 32 x 64
    assert columns_of_ink(box) == list(range(32))
    assert (box[:, 64:] == 255).all()


def test_a_longer_line_is_folded_into_the_rows_that_show_it_largest() -> None:
    folding = spec(max_rows=2)
    assert rows_for(64, 256, folding) == 1  # fits exactly: 4 to 1
    assert rows_for(64, 2 * 512, folding) == 2
    box = fit_line(crop(64, 2 * 512), folding)
    assert columns_of_ink(box[:16]) == list(range(128))  # the first half of the line is ink
    assert columns_of_ink(box[16:]) == []  # the second is paper


def test_a_line_too_long_for_its_rows_shows_windows_from_both_ends() -> None:
    line = np.full((16, 4000, 3), 255, np.uint8)
    line[4:12, :60] = line[4:12, -60:] = 0
    box = fit_line(line, spec(max_rows=2))
    # Rows of 16 px show it unscaled: its first and its last 128 columns.
    assert columns_of_ink(box[:16]) == list(range(60))
    assert columns_of_ink(box[16:]) == list(range(68, 128))


def test_one_row_takes_the_middle_of_a_long_line() -> None:
    line = np.full((32, 1000, 3), 255, np.uint8)
    line[8:24, 490:510] = 0
    assert columns_of_ink(fit_line(line, spec())) == list(range(54, 74))


@pytest.mark.parametrize(("paper", "ink"), [(250, 0), (140, 90), (20, 240)])
def test_tone_and_polarity_of_the_page_do_not_show(paper: int, ink: int) -> None:
    shown = fit_line(crop(32, 200, paper, ink), spec())
    reference = fit_line(crop(32, 200, 255, 0), spec())
    # The left half is ink, a quarter of the area: paper is the median whichever is darker.
    assert np.array_equal(shown, reference)


def test_paper_without_ink_is_not_stretched_into_ink() -> None:
    grain = np.random.default_rng(0).integers(200, 205, (32, 100), dtype=np.uint8)
    assert stretch_contrast(grain).min() > 200


def test_binarized_input_has_two_tones_only() -> None:
    soft = crop(20, 60)
    soft[:, 25:35] = np.linspace(30, 220, 10, dtype=np.uint8)[:, None]
    assert set(np.unique(fit_line(soft, spec(binarize=True)))) <= {0, 255}
    assert len(np.unique(fit_line(soft, spec()))) > 2


def test_a_colour_input_keeps_colours_and_is_padded_with_its_paper() -> None:
    image = np.empty((32, 64, 3), np.uint8)
    image[:] = (250, 240, 100)
    image[10:20, 10:20] = (0, 0, 200)
    box = fit_line(image, spec(channels=3, mean=(0.5,) * 3, std=(0.5,) * 3, contrast=False))
    assert box[0, -1].tolist() == [250, 240, 100]
    assert box[15, 15].tolist() == [0, 0, 200]


def test_a_read_only_crop_is_left_as_it_is() -> None:
    image = crop(30, 90)
    image.flags.writeable = False
    before = image.copy()
    fit_line(image, spec())
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 0, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_a_bad_crop_fails_alone(bad: Image) -> None:
    with pytest.raises(UnusableCrop):
        fit_line(bad, spec())
    first, failed, last = prepare_crops([crop(8, 8), bad, crop(9, 99)], spec())
    assert isinstance(failed, UnreadableDocument) and "line" in failed.public
    for prepared in (first, last):
        assert isinstance(prepared, Prepared) and (prepared.height, prepared.width) == (32, 128)
