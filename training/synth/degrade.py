"""From coverage to a grey scan: paper, ink, light, optics, sensor and compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import Grey
from training.synth.noise import smooth_noise

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Degradation:
    """How a line was scanned. Levels are grey values 0-255, lengths pixels of the final line.

    ``low_height_px`` is the height at which the line was really scanned before it was scaled up
    to the height of the set (0: no loss). ``jpeg_quality`` 0 means no compression.
    """

    paper: float = 245.0
    ink: float = 25.0
    texture: float = 2.0
    shade: float = 0.0
    bleed_through: float = 0.0
    blur_px: float = 0.0
    motion_px: int = 0
    low_height_px: int = 0
    noise: float = 0.0
    specks: int = 0
    jpeg_quality: int = 0
    inverted: bool = False
    binary: bool = False


def sample_degradation(rng: Rng, rough: float) -> Degradation:
    """Draw a scan; ``rough`` in ``[0, 1]`` shifts all of it from a clean scan to a bad one."""
    paper = rng.uniform(232, 255) if rng.random() < 0.6 else rng.uniform(110 + 60 * (1 - rough), 240)
    contrast = rng.uniform(0.55, 1.0) if rng.random() < 0.75 else rng.uniform(0.35, 0.6)
    low = rng.random() < 0.2 + 0.25 * rough
    return Degradation(
        paper=paper,
        ink=paper * (1 - contrast),
        texture=float(rng.exponential(2.0 + 3 * rough)),
        shade=float(rng.uniform(0, 40)) if rng.random() < 0.3 else 0.0,
        bleed_through=float(rng.uniform(0.04, 0.2)) if rng.random() < 0.08 else 0.0,
        blur_px=float(rng.uniform(0, 0.5 + 0.9 * rough)) if rng.random() < 0.7 else 0.0,
        motion_px=int(rng.integers(2, 5)) if rng.random() < 0.04 else 0,
        low_height_px=int(rng.integers(15, 36)) if low else 0,
        noise=float(rng.exponential(3 + 5 * rough)) if rng.random() < 0.6 else 0.0,
        specks=int(rng.integers(1, 12)) if rng.random() < 0.12 else 0,
        jpeg_quality=int(rng.integers(22, 92)) if rng.random() < 0.55 else 0,
        inverted=bool(rng.random() < 0.025),
        binary=bool(rng.random() < 0.06),
    )


def scan(coverage: Grey, how: Degradation, rng: Rng) -> Grey:
    """Grey image of ``coverage`` (uint8 ``(H, W)``, 255 full ink), same shape."""
    image = _on_paper(coverage, how, rng)
    image = _through_optics(image, how, rng)
    if how.inverted:
        image = 255 - image
    out = np.clip(image, 0, 255).astype(np.uint8)
    if how.binary:
        out = _binarised(out)
    if how.jpeg_quality:
        _, encoded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, how.jpeg_quality])
        out = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return out


def _on_paper(coverage: Grey, how: Degradation, rng: Rng) -> npt.NDArray[np.float32]:
    height, width = coverage.shape
    amount = coverage.astype(np.float32) / 255
    if how.bleed_through:
        back = cv2.GaussianBlur(coverage[:, ::-1], (0, 0), 1.5).astype(np.float32) / 255
        amount = np.maximum(amount, np.roll(back, int(rng.integers(-6, 7)), axis=0) * how.bleed_through)
    paper = np.full((height, width), how.paper, np.float32)
    if how.texture > 0.5:
        paper += smooth_noise(rng, height, width, float(rng.uniform(1.5, 5))) * how.texture
    if how.shade:
        paper += smooth_noise(rng, height, width, width / 2 + 40.0) * (how.shade / 2)
    return np.asarray(paper + (how.ink - paper) * amount, np.float32)


def _through_optics(image: npt.NDArray[np.float32], how: Degradation, rng: Rng) -> npt.NDArray[np.float32]:
    height, width = image.shape
    if how.specks:
        rows, columns = rng.integers(0, height, how.specks), rng.integers(0, width, how.specks)
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
            cv2.circle(image, (x, y), int(rng.integers(0, 2)), float(rng.choice([how.ink, 255.0])), -1)
    if how.low_height_px and how.low_height_px < height:
        small = (max(2, round(width * how.low_height_px / height)), how.low_height_px)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    if how.blur_px > 0.25 and not how.low_height_px:
        image = cv2.GaussianBlur(image, (0, 0), how.blur_px)
    if how.motion_px:
        image = cv2.blur(image, (how.motion_px, 1) if rng.random() < 0.5 else (1, how.motion_px))
    if how.noise > 0.5:
        image = image + rng.standard_normal(image.shape, dtype=np.float32) * how.noise
    if image.shape != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def _binarised(image: Grey) -> Grey:
    _, out = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray(out, np.uint8)
