"""Paper and capture: what happens between the inked sheet and the stored picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.layouts import Rgb
from training.synth.textures import fibre, field, gaussian

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Paper:
    """The sheet itself. ``texture`` and ``mottle`` are amplitudes in grey levels; ``bleed`` is the
    share of the reverse side that shows through; ``folds`` are positions as shares of the height
    (positive) or width (negative).
    """

    colour: Rgb
    texture: float
    mottle: float
    bleed: float
    folds: tuple[float, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Capture:
    """Scanner or camera. Light amplitudes in ``[0, 1]``; ``tone`` is colour, grey or bilevel.

    ``blur_px`` and ``noise`` (grey levels) are standard deviations. ``background`` is what lies
    around the sheet.
    """

    background: Rgb
    light: float
    shadow: float
    blur_px: float
    noise: float
    contrast: float
    brightness: float
    tone: str
    jpeg_quality: int
    seed: int


_WHITES: tuple[Rgb, ...] = ((255, 255, 255), (250, 250, 248), (244, 243, 240), (238, 236, 230))
_TINTS: tuple[Rgb, ...] = (
    (240, 228, 200), (226, 214, 186), (232, 226, 204), (222, 216, 212), (214, 222, 226),
    (205, 200, 186), (235, 214, 200), (226, 205, 165), (216, 226, 205), (245, 236, 160),
)  # fmt: skip


def sample_paper(rng: np.random.Generator, old: float) -> Paper:
    """``old`` in ``[0, 1]``: the chance of tinted, mottled, see-through paper."""
    aged = rng.random() < old
    colours = _TINTS if aged else _WHITES
    return Paper(
        colour=colours[int(rng.integers(len(colours)))],
        texture=float(rng.uniform(0, 7) if aged else rng.choice([0.0, rng.uniform(0, 3)])),
        mottle=float(rng.uniform(0, 10) if aged else rng.choice([0.0, rng.uniform(0, 3)])),
        bleed=float(rng.uniform(0.04, 0.3)) if rng.random() < (0.5 if aged else 0.1) else 0.0,
        folds=tuple(
            float(v) for v in rng.choice([0.33, 0.5, 0.66, -0.5], int(rng.integers(0, 3)), replace=False)
        )
        if rng.random() < 0.25
        else (),
        seed=int(rng.integers(2**31)),
    )


def sample_capture(rng: np.random.Generator, photographed: bool, old: float) -> Capture:
    dark = int(rng.integers(0, 60))
    # Tables and floors: grey to brown, seldom bright colours.
    desk = np.clip(rng.uniform(25, 190) + rng.normal(0, 12, 3) + (12, 0, -12), 0, 255).astype(int)
    colour = 0.75 if photographed else 0.3 + 0.5 * old
    tone = (
        "colour"
        if rng.random() < colour
        else "bilevel"
        if not photographed and rng.random() < 0.3
        else "grey"
    )
    # What a copier lights unevenly comes out black: it keeps its lamp even.
    even = 0.25 if tone == "bilevel" else 1.0
    background: Rgb = (int(desk[0]), int(desk[1]), int(desk[2])) if photographed else (dark, dark, dark)
    if not photographed and rng.random() < 0.4:
        background = (255, 255, 255)
    return Capture(
        background=background,
        light=even
        * float(rng.uniform(0.1, 0.55) if photographed else rng.choice([0.0, rng.uniform(0, 0.2)])),
        shadow=even * float(rng.uniform(0.0, 0.5)) if rng.random() < (0.5 if photographed else 0.1) else 0.0,
        blur_px=float(rng.uniform(0.3, 1.3) if photographed else rng.uniform(0.0, 0.9)),
        noise=float(rng.uniform(1, 9) if photographed else rng.choice([0.0, rng.uniform(0, 7)])),
        contrast=float(rng.uniform(0.85, 1.25)),
        brightness=float(rng.uniform(-12, 20)),
        tone=tone,
        jpeg_quality=int(rng.integers(35, 96)),
        seed=int(rng.integers(2**31)),
    )


def lay_on_paper(ink: Picture, paper: Paper) -> Picture:
    """Inked reflectance (H, W, 3) onto paper: colour, texture, the reverse side, folds."""
    rng = np.random.default_rng(paper.seed)
    height, width = ink.shape[:2]
    sheet = ink
    if paper.bleed > 0:
        reverse = cv2.GaussianBlur(ink[:, ::-1], (0, 0), float(rng.uniform(1.0, 3.0)))
        shift = int(rng.integers(-height // 8, height // 8 + 1))
        reverse = np.roll(reverse, shift, axis=0)
        faint = cv2.convertScaleAbs(reverse, alpha=paper.bleed, beta=255 * (1 - paper.bleed))
        sheet = cv2.multiply(sheet, faint, scale=1 / 255)
    ground = np.full((height, width), 128, np.uint8)
    if paper.texture > 0:
        ground = cv2.addWeighted(
            ground, 1 - paper.texture / 30, fibre(rng, height, width), paper.texture / 30, 0
        )
    if paper.mottle > 0:
        slow = field(rng, height, width, period_px=width / float(rng.uniform(2, 9)))
        ground = cv2.addWeighted(ground, 1.0, slow, paper.mottle / 128, -paper.mottle)
    _fold(ground, paper.folds, rng)
    colour = np.stack([cv2.convertScaleAbs(ground, alpha=level / 128) for level in paper.colour], axis=-1)
    return np.asarray(cv2.multiply(sheet, colour, scale=1 / 255), np.uint8)


def _fold(ground: npt.NDArray[np.uint8], folds: tuple[float, ...], rng: np.random.Generator) -> None:
    height, width = ground.shape
    for fold in folds:
        level = int(rng.choice([105, 112, 140]))
        wobble = float(rng.uniform(-0.01, 0.01))
        if fold > 0:
            ends = (0, int(fold * height)), (width, int((fold + wobble) * height))
        else:
            ends = (int(-fold * width), 0), (int((-fold + wobble) * width), height)
        cv2.line(ground, *ends, level, int(rng.integers(1, 4)), cv2.LINE_AA)


def take_picture(picture: Picture, capture: Capture) -> Picture:
    """Light, lens, sensor and tone. Input and output uint8 ``(H, W, 3)``."""
    rng = np.random.default_rng(capture.seed)
    height, width = picture.shape[:2]
    out = picture
    if capture.blur_px > 0.2:
        out = cv2.GaussianBlur(out, (0, 0), capture.blur_px)
    light = _light(rng, height, width, capture)
    if light is not None:
        out = cv2.multiply(out, cv2.merge([light] * 3), scale=1 / 255)
    out = cv2.convertScaleAbs(_lifted(out, capture))
    if capture.tone != "colour":
        grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
        grey = _noisy(grey, capture.noise, rng)
        if capture.tone == "bilevel":
            grey = _photocopy(grey, rng)
        return np.asarray(cv2.merge([grey] * 3), np.uint8)
    return np.asarray(_noisy(out, capture.noise, rng), np.uint8)


def _lifted(picture: Picture, capture: Capture) -> Picture:
    levels = (np.arange(256) - 128.0) * capture.contrast + 128 + capture.brightness
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8)), np.uint8)


def _noisy(picture: Picture, noise: float, rng: np.random.Generator) -> Picture:
    """Adds grain of this standard deviation, the same to every channel."""
    if noise <= 0:
        return picture
    grain = gaussian(rng, *picture.shape[:2])
    layers = grain if picture.ndim == 2 else cv2.merge([grain] * 3)
    return np.asarray(cv2.addWeighted(picture, 1.0, layers, noise / 32, 0, dtype=cv2.CV_8U), np.uint8)


def _photocopy(grey: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Nearly two levels, with the dirt that a copier adds."""
    # The operator sets the copier by the paper: a share of the level of the bare sheet.
    threshold = float(np.percentile(grey[::8, ::8], 70)) * float(rng.uniform(0.7, 0.88))
    steep = float(rng.uniform(0.05, 0.3))
    levels = 255 / (1 + np.exp(-(np.arange(256) - threshold) * steep))
    out = np.asarray(cv2.LUT(grey, levels.astype(np.uint8)), np.uint8)
    specks = int(rng.integers(0, 250))
    ys, xs = rng.integers(0, grey.shape[0], specks), rng.integers(0, grey.shape[1], specks)
    for x, y, radius in zip(xs, ys, rng.exponential(0.8, specks), strict=True):
        cv2.circle(out, (int(x), int(y)), int(radius), 0, -1)
    return out


def _light(
    rng: np.random.Generator, height: int, width: int, capture: Capture
) -> npt.NDArray[np.uint8] | None:
    """Multiplier of the uneven light, uint8 with 255 for full light."""
    if capture.light <= 0 and capture.shadow <= 0:
        return None
    y, x = np.mgrid[0:1:33j, 0:1:25j]
    turn = float(rng.uniform(0, 2 * np.pi))
    ramp = 0.5 + (x - 0.5) * np.cos(turn) * 0.7 + (y - 0.5) * np.sin(turn) * 0.7
    level = 1 - capture.light * np.clip(ramp, 0, 1) ** float(rng.uniform(0.8, 2))
    if capture.shadow > 0:
        turn, at = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(-0.4, 0.4))
        side = (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn) - at
        level *= 1 - capture.shadow / (1 + np.exp(-side * float(rng.uniform(15, 60))))
    small = np.clip(level * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
