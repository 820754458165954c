"""Windows of pages for training: cut at serving scale, varied in geometry and in light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from deployments import geometry
from deployments.detection.preprocess import PAD_LEVEL, InputSpec, pad_to
from deployments.detection.resample import resize
from deployments.detection.skew import estimate_skew
from deployments.types import Image, Kind
from training import paper_augment
from training.detection_data import LabelledPage, load_image

MIN_VISIBLE = 0.5
# Sigma in pixels of the window; of one blurred window in five that of a photograph out of focus.
_BLUR, _OUT_OF_FOCUS, _OUT_OF_FOCUS_SHARE = (0.3, 1.1), (1.1, 2.2), 0.2
# What is left of the contrast of a faint window.
_FAINT = (0.3, 0.7)


@dataclass(frozen=True, slots=True)
class Variation:
    """Ranges from which a window is drawn; the defaults surround what serving produces.

    ``near_share`` of the windows show a page from near, as photographs of a note or of one field do:
    its lines are ``near_line_px`` high there; ``faint_share`` of them show a faint page.
    """

    height_px: int = 640
    width_px: int = 448
    scale: tuple[float, float] = (0.65, 1.45)
    squeeze: tuple[float, float] = (0.85, 1.2)
    turn_deg: float = 0.6
    enlarge_up_to: float = 1.5
    near_share: float = 0.2
    near_line_px: tuple[float, float] = (40.0, 170.0)
    enlarge_near_up_to: float = 3.0
    faint_share: float = 0.125


@dataclass(frozen=True, slots=True)
class Window:
    """A training example: ``pixels uint8 (h, w, 3)`` and boxes ``float32 (N, 4)``.

    Boxes are centre x, y, width, height as fractions of the window.
    """

    pixels: Image
    boxes: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Straightened:
    """A decoded page, quads ``float32 (N, 4, 2)`` that follow its text, and its skew."""

    pixels: Image
    quads: npt.NDArray[np.float32]
    skew_deg: float

    @property
    def line_px(self) -> float:
        """Median height of the lines; a fortieth of a page without any."""
        if not len(self.quads):
            return float(self.pixels.shape[0] / 40)
        return float(np.median(np.linalg.norm(self.quads[:, 3] - self.quads[:, 0], axis=1)))

    @classmethod
    def of(cls, page: LabelledPage) -> Straightened:
        """Read a page and find its skew: from its labels where they follow the text."""
        pixels = load_image(page.image)
        if page.is_exact:
            return cls(pixels, page.quads, quads_skew(page.quads))
        skew_deg = estimate_skew(pixels)
        return cls(pixels, lean(page.boxes, skew_deg), skew_deg)


def quads_skew(quads: npt.NDArray[np.float32]) -> float:
    """Median angle of the baselines of the longer half of some lines, degrees."""
    along = (quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]).astype(np.float64)
    length = np.hypot(along[:, 0], along[:, 1])
    longer = along[length >= np.median(length)]
    return float(-np.degrees(np.median(np.arctan2(longer[:, 1], longer[:, 0]))))


def lean(boxes: npt.NDArray[np.float32], skew_deg: float) -> npt.NDArray[np.float32]:
    """Quads of lines that rise by ``skew_deg`` within upright boxes ``(N, 4)`` around them.

    What the slope adds to a box's height is taken off, down to two fifths of it.
    """
    slope = np.tan(np.deg2rad(skew_deg))
    x, y, width, height = boxes.T
    low = np.maximum(height - width * abs(slope), 0.4 * height)
    middle, rise = y + height / 2, slope * width / 2
    left_top, right_top = middle + rise - low / 2, middle - rise - low / 2
    corners = [x, left_top, x + width, right_top, x + width, right_top + low, x, left_top + low]
    return np.stack(corners, axis=1).reshape(-1, 4, 2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class View:
    """Where a window lies: its pixels, and the affine map from the page's points to its own."""

    pixels: Image
    from_page: geometry.Affine


def draw_view(page: Straightened, spec: InputSpec, vary: Variation, rng: np.random.Generator) -> View:
    """Draw one window of a page: scale, squeeze, slight turn, position, then paper, light and noise."""
    page_height, page_width = page.pixels.shape[:2]
    scale = _draw_scale(page, spec, vary, rng)
    squeeze = spec.squeeze_of(page_height, page_width) * _draw_factor(vary.squeeze, rng)
    height, width = max(1, round(page_height * scale)), max(1, round(page_width * scale * squeeze))
    jitter_deg = rng.uniform(-vary.turn_deg, vary.turn_deg) if rng.random() < 0.5 else 0.0
    turn_deg = jitter_deg - page.skew_deg
    shift = np.array([_offset(width, vary.width_px, rng), _offset(height, vary.height_px, rng)])
    shrink = np.array([width / page_width, height / page_height])
    small = resize(page.pixels, width, height)
    if abs(turn_deg) > 0.02:
        turn = _turn_squeezed(turn_deg, squeeze, (width, height))
        turn[:, 2] -= shift
        pixels = geometry.warp(small, turn, (vary.width_px, vary.height_px), fill=PAD_LEVEL)
    else:
        turn = np.column_stack([np.eye(2), -shift])
        pixels = _cut(small, shift, vary)
    pixels = vary_paper(pixels, page.line_px * scale, squeeze, rng)
    return View(
        vary_light(pixels, vary.faint_share, rng), np.column_stack([turn[:, :2] * shrink, turn[:, 2]])
    )


def cut_window(page: Straightened, spec: InputSpec, vary: Variation, rng: np.random.Generator) -> Window:
    """A window with the boxes of the lines in it."""
    view = draw_view(page, spec, vary, rng)
    quads = geometry.transform_points(page.quads, view.from_page)
    return Window(view.pixels, _window_boxes(quads, vary))


def windows(
    pages: Sequence[LabelledPage],
    weights: npt.NDArray[np.float64],
    spec: InputSpec,
    vary: Variation,
    rng: np.random.Generator,
    per_page: int = 2,
) -> Iterator[Window]:
    """Endless windows, ``per_page`` from every page drawn (decoding costs more than cutting)."""
    chances = weights / weights.sum()
    while True:
        page = pages[int(rng.choice(len(pages), p=chances))]
        straight = Straightened.of(page)
        for _ in range(per_page):
            window = cut_window(straight, spec, vary, rng)
            # Blank parts of a page teach little, but some must be seen.
            if not len(window.boxes) and rng.random() < 0.8:
                window = cut_window(straight, spec, vary, rng)
            yield window


def vary_paper(pixels: Image, line_px: float, squeeze: float, rng: np.random.Generator) -> Image:
    """Now and then squares, rules or a weave under lines of this height, in a colour of their own."""
    sheet = paper_augment.sample(rng, Kind.HANDWRITTEN if rng.random() < 0.5 else Kind.PRINTED)
    if sheet is None:
        return pixels
    share = line_px / pixels.shape[0]
    sheet = replace(
        sheet,
        row_pitch=sheet.row_pitch * share,
        column_pitch=sheet.column_pitch * share * squeeze,
        thickness=sheet.thickness * share,
    )
    tint = rng.uniform(0.5, 1.2, 3) if sheet.row_pitch else np.ones(3)
    return paper_augment.apply_in_colour(pixels, sheet, tint.tolist())


def vary_light(pixels: Image, faint_share: float, rng: np.random.Generator) -> Image:
    """Contrast, brightness, faintness, colour cast, gamma, blur, noise and negatives, each now and then."""
    levels: npt.NDArray[np.float64] = np.arange(256, dtype=np.float64)
    if rng.random() < 0.5:
        levels = 255 * (levels / 255) ** float(np.exp(rng.uniform(-0.5, 0.5)))
    levels = levels * rng.uniform(0.6, 1.15) + rng.uniform(-25, 40)
    if rng.random() < faint_share:
        levels = np.clip(levels, 0, 255)
        levels = levels.max() - (levels.max() - levels) * rng.uniform(*_FAINT)
    casts = 1 + rng.normal(0, 0.05 if rng.random() < 0.4 else 0.0, 3)
    table = np.clip(levels[:, None] * casts[None, :], 0, 255).astype(np.uint8)
    pixels = np.stack([cv2.LUT(pixels[..., channel], table[:, channel]) for channel in range(3)], axis=-1)
    if rng.random() < 0.3:
        sigma = rng.uniform(*(_OUT_OF_FOCUS if rng.random() < _OUT_OF_FOCUS_SHARE else _BLUR))
        pixels = cv2.GaussianBlur(pixels, (0, 0), float(sigma))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(3, 14), pixels.shape[:2]).astype(np.float32)
        pixels = np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.02:
        pixels = 255 - pixels
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _draw_scale(page: Straightened, spec: InputSpec, vary: Variation, rng: np.random.Generator) -> float:
    """What a page's height is multiplied by: what serving would, or more where it is seen from near."""
    usual = spec.scale(*page.pixels.shape[:2]) * _draw_factor(vary.scale, rng)
    if rng.random() < vary.near_share:
        near = _draw_factor(vary.near_line_px, rng) / page.line_px
        return max(usual, min(vary.enlarge_near_up_to, near))
    return min(vary.enlarge_up_to, usual)


def _draw_factor(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """A factor between two limits, as likely to enlarge as to reduce."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def _offset(size: int, window: int, rng: np.random.Generator) -> int:
    """Where the window begins; flush with the page's start or end more often than by chance."""
    spare = size - window
    if spare <= 0:
        return int(rng.integers(spare, 1)) if rng.random() < 0.3 else 0
    return int(np.clip(rng.integers(-spare // 4, spare + spare // 4 + 1), 0, spare))


def _turn_squeezed(turn_deg: float, squeeze: float, size_px: tuple[int, int]) -> geometry.Affine:
    """The turn of a page about its middle, written in squeezed pixels."""
    angle = np.deg2rad(turn_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin * squeeze], [-sin / squeeze, cos]])
    middle = np.array(size_px) / 2
    return np.column_stack([turn, middle - turn @ middle])


def _cut(small: Image, shift: npt.NDArray[np.int64], vary: Variation) -> Image:
    left, top = int(shift[0]), int(shift[1])
    part = small[max(top, 0) : top + vary.height_px, max(left, 0) : left + vary.width_px]
    grey = (PAD_LEVEL,) * 3
    framed = cv2.copyMakeBorder(part, max(-top, 0), 0, max(-left, 0), 0, cv2.BORDER_CONSTANT, value=grey)
    return pad_to(np.asarray(framed, dtype=np.uint8), vary.height_px, vary.width_px)


def _window_boxes(quads: npt.NDArray[np.float32], vary: Variation) -> npt.NDArray[np.float32]:
    """Boxes around quads, cut to the window; lines mostly outside it are dropped."""
    if not len(quads):
        return np.zeros((0, 4), np.float32)
    size = np.array([vary.width_px, vary.height_px], np.float32)
    low, high = quads.min(axis=1), quads.max(axis=1)
    whole = np.maximum(high - low, 1e-3)
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    shown = high - low
    keep = (shown[:, 1] >= MIN_VISIBLE * whole[:, 1]) & (shown[:, 0] >= 3) & (shown[:, 1] >= 3)
    boxes = np.concatenate([(low + high) / 2 / size, shown / size], axis=1)
    return np.asarray(boxes[keep], dtype=np.float32)
