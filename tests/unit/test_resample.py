"""Resampling of pages: as averaging over areas would, at any factor, without shift and without moire."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deployments.detection.resample import resize

SIZES = [(320, 450), (320, 300), (1000, 700), (200, 130), (640, 906), (1300, 1900)]


def page() -> np.ndarray:
    """Soft blobs of ink, the size of letters, on paper: ``uint8 (912, 1304, 3)``."""
    noise = np.random.default_rng(0).normal(0, 1, (912, 1304, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.asarray(np.clip(128 + 600 * soft, 0, 255), np.uint8)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_it_is_close_to_the_mean_over_areas(height: int, width: int) -> None:
    image = page()
    found = resize(image, width, height)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    assert found.shape == (height, width, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize("factor", [2.0, 2.3, 3.0, 3.9, 5.2])
def test_fine_stripes_become_grey_and_no_pattern(factor: float) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 300))
    found = resize(stripes, round(600 / factor), round(600 / factor))
    assert found[:, 2:-2].std() < 0.35 * stripes.std()
    assert abs(float(found.mean()) - 127.5) < 3


@pytest.mark.parametrize("factor", [0.5, 1.3, 2.0, 2.6, 4.0, 5.7])
def test_nothing_moves(factor: float) -> None:
    image = np.zeros((601, 803), np.uint8)
    image[200:240, 500:560] = 255
    found = resize(image, round(803 / factor), round(601 / factor))
    rows, columns = np.nonzero(found > 127)
    across, down = found.shape[1] / 803, found.shape[0] / 601
    assert abs((columns.mean() + 0.5) - 530 * across) < 0.6
    assert abs((rows.mean() + 0.5) - 220 * down) < 0.6


def test_an_image_of_the_size_is_returned_as_it_is() -> None:
    image = page()
    assert resize(image, 1304, 912) is image
