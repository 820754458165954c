from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.engine import Prepared
from deployments.errors import UnreadableDocument
from deployments.recognition import preprocess
from deployments.recognition.preprocess import LineFormat, prepare_line, prepare_lines, stack

FORMAT = LineFormat(max_core=1)


def bar(height: int = 48, width: int = 200, paper: int = 230, ink: int = 30) -> np.ndarray:
    """A grey line with a vertical bar of ink 20 px wide at x = 100."""
    image = np.full((height, width), paper, np.uint8)
    image[8 : height - 8, 100:120] = ink
    return image


def test_height_is_fixed_the_aspect_kept_and_the_width_padded_to_a_bucket() -> None:
    ink = prepare_line(bar(48, 200), FORMAT)
    assert ink.shape == (32, 160)
    assert ink.dtype == np.float32
    assert not ink[:, 134:].any()
    columns = np.flatnonzero(ink.max(axis=0) > 0.5)
    assert (columns.min(), columns.max()) == (67, 79)


@pytest.mark.parametrize(("paper", "ink"), [(230, 30), (140, 60), (20, 220), (255, 0)])
def test_paper_is_zero_and_ink_is_one_whatever_the_levels(paper: int, ink: int) -> None:
    prepared = prepare_line(bar(32, 200, paper, ink), FORMAT)
    assert prepared[16, 10] == pytest.approx(0)
    assert prepared[16, 110] == pytest.approx(1)


def test_colour_and_grey_crops_of_the_same_line_agree() -> None:
    grey = bar()
    assert np.array_equal(prepare_line(np.dstack([grey] * 3), FORMAT), prepare_line(grey, FORMAT))


def test_an_empty_line_stays_empty_instead_of_amplified_noise() -> None:
    noise = np.random.default_rng(0).integers(200, 206, (48, 300)).astype(np.uint8)
    assert np.abs(prepare_line(noise, FORMAT)).max() < 0.2


def test_a_line_over_the_width_limit_is_squeezed_to_it() -> None:
    assert prepare_line(np.full((32, 9000), 255, np.uint8), FORMAT).shape == (32, 2400)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (64, 2)])
def test_tiny_and_extreme_crops_are_still_lines(shape: tuple[int, int]) -> None:
    ink = prepare_line(np.full(shape, 128, np.uint8), FORMAT)
    assert ink.shape[0] == 32
    assert ink.shape[1] % 32 == 0
    assert np.isfinite(ink).all()


def test_a_read_only_crop_is_not_written_to() -> None:
    image = np.dstack([bar()] * 3)
    image.setflags(write=False)
    before = image.copy()
    prepare_line(image, LineFormat(deskew=True, adaptive_threshold=True))
    assert np.array_equal(image, before)


def test_a_crop_without_pixels_fails_alone() -> None:
    good = np.dstack([bar()] * 3)
    outcomes = prepare_lines(
        [good, np.zeros((0, 10, 3), np.uint8), good, np.zeros((4, 4, 4), np.uint8)], FORMAT
    )
    assert [type(outcome) for outcome in outcomes] == [
        Prepared,
        UnreadableDocument,
        Prepared,
        UnreadableDocument,
    ]
    first = outcomes[0]
    assert isinstance(first, Prepared)
    assert first.payload.shape == (32, 133)
    assert (first.height, first.width) == (32, 160)


def test_a_batch_is_padded_with_paper_to_its_widest_line() -> None:
    lines = [np.ones((32, 64), np.float32), np.ones((32, 160), np.float32)]
    batch = stack(lines)
    assert batch.shape == (2, 1, 32, 160)
    assert batch[0, 0, :, :64].all()
    assert not batch[0, 0, :, 64:].any()


def test_quarter_turns_are_clockwise() -> None:
    image = np.array([[1, 2], [3, 4]], np.uint8)
    assert preprocess.rotate90(image, 1).tolist() == [[3, 1], [4, 2]]
    assert np.array_equal(preprocess.rotate90(preprocess.rotate90(image, 3), 1), image)


@pytest.mark.parametrize("angle_deg", [-3.0, -1.0, 2.0])
def test_deskew_finds_and_undoes_the_angle_of_the_baseline(angle_deg: float) -> None:
    level = np.full((60, 400), 240, np.uint8)
    cv2.putText(level, "level baseline of words", (20, 38), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 20, 2)
    matrix = cv2.getRotationMatrix2D((200, 30), angle_deg, 1.0)
    skewed = np.asarray(cv2.warpAffine(level, matrix, (400, 60), borderValue=240), np.uint8)
    assert preprocess.skew_deg(skewed) == pytest.approx(angle_deg, abs=0.75)
    assert abs(preprocess.skew_deg(preprocess.deskew(skewed))) <= 0.75


def test_a_blank_line_is_not_turned() -> None:
    blank = np.full((40, 300), 255, np.uint8)
    assert preprocess.skew_deg(blank) == 0
    assert preprocess.deskew(blank) is blank


def test_adaptive_threshold_takes_out_uneven_light() -> None:
    image = bar(48, 200)
    shade = np.linspace(0.35, 1.0, 200)
    image = (image * shade).astype(np.uint8)
    binary = preprocess.threshold_adaptive(image)
    assert set(np.unique(binary)) == {0, 255}
    assert binary[24, 102] == 0
    assert binary[24, 20] == binary[24, 180] == 255


def words(height: int, scale: float, baseline: int) -> np.ndarray:
    line = np.full((height, 420), 240, np.uint8)
    cv2.putText(line, "ACCOUNT 1250.00", (10, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, 20, 2)
    return line


def test_a_tight_cut_gets_margins_of_paper_and_keeps_its_width() -> None:
    tight = words(26, 1.0, 24)
    loose = preprocess.loosen(tight, 0.55)
    margin = (loose.shape[0] - 26) // 2
    assert 4 <= margin <= 6
    assert loose.shape[1] == tight.shape[1]
    assert np.array_equal(loose[margin:-margin], tight)
    assert (loose[:margin] == 240).all() and (loose[-margin:] == 240).all()
    assert prepare_line(tight, LineFormat()).shape[1] < prepare_line(tight, FORMAT).shape[1]


def test_margins_are_at_most_a_quarter_of_the_height_each() -> None:
    tight = words(26, 1.0, 24)
    assert preprocess.loosen(tight, 0.3).shape[0] == 26 + 2 * 6


def test_a_line_with_room_or_with_a_neighbour_in_it_stays_as_it_is() -> None:
    roomy = words(60, 1.0, 42)
    assert preprocess.loosen(roomy, 0.55) is roomy
    crowded = words(26, 1.0, 24)
    crowded[:3, 20:300] = 20
    assert preprocess.loosen(crowded, 0.55) is crowded
    blank = np.full((40, 300), 255, np.uint8)
    assert preprocess.loosen(blank, 0.55) is blank


def test_a_weight_from_before_the_margins_gets_them_too() -> None:
    assert LineFormat.of({"height_px": 32, "charset": "ab"}) == LineFormat(max_core=0.55)


def test_a_key_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="deskewed"):
        LineFormat.of({"height_px": 32, "deskewed": True})
