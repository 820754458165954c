"""Pictures that train are seen as the service sees them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest

from deployments.pixels import to_rgb
from training.detection_data import load_image
from training.labelled_lines import read_image
from training.pictures import read_rgb


def transparent() -> PIL.Image.Image:
    """Black words on nothing, half of them half transparent."""
    picture = PIL.Image.new("RGBA", (120, 40), (0, 0, 0, 0))
    draw = PIL.ImageDraw.Draw(picture)
    draw.text((4, 10), "Received", fill=(0, 0, 0, 255))
    draw.text((64, 10), "in full", fill=(0, 0, 120, 128))
    return picture


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparency_is_paper(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = transparent().convert(mode)
    if suffix == "webp":
        picture = picture.convert("RGBA")  # WebP has no greys.
    path = tmp_path / f"line.{suffix}"
    picture.save(path, lossless=True)
    for read in (read_rgb, read_image, load_image):
        seen = read(path)
        assert seen is not None and seen.mean() > 200
        assert np.abs(seen.astype(int) - to_rgb(picture)).max() <= 1


def test_opaque_pictures_are_read_as_stored(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    for name, image in (
        ("rgb.png", pixels),
        ("deep.png", pixels.astype(np.uint16) * 257),
        ("grey.png", pixels[..., 0]),
    ):
        cv2.imwrite(str(tmp_path / name), image)
        expected = cv2.imread(str(tmp_path / name))[:, :, ::-1]
        np.testing.assert_array_equal(read_rgb(tmp_path / name), expected)
    (tmp_path / "no.png").write_bytes(b"no picture")
    assert read_rgb(tmp_path / "no.png") is None and read_rgb(tmp_path / "none.jpg") is None
