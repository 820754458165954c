"""Things on a page that are not lines of text: stamps, signatures, logos, pictures, bar codes, strokes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.layouts import Mark, MarkKind
from training.synth.textures import fibre, field, speckle

Sheet = npt.NDArray[np.uint8]
Rng = np.random.Generator
Size = tuple[int, int]


def draw_mark(sheet: Sheet, mark: Mark) -> None:
    """Multiplies the mark into the sheet's reflectance (uint8 ``(H, W, 3)``), in place."""
    x0, y0, x1, y1 = (round(v) for v in mark.box)
    width, height = x1 - x0, y1 - y0
    if width < 4 or height < 4:
        return
    rng = np.random.default_rng(mark.seed)
    patch = _DRAW[mark.kind](rng, (height, width), mark.colour)
    left, top = max(0, x0), max(0, y0)
    right, bottom = min(sheet.shape[1], x1), min(sheet.shape[0], y1)
    if left >= right or top >= bottom:
        return
    window = sheet[top:bottom, left:right]
    cut = patch[top - y0 : bottom - y0, left - x0 : right - x0]
    window[:] = cv2.multiply(window, np.ascontiguousarray(cut), scale=1 / 255)


def _tint(coverage: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> Sheet:
    bare = 1 - coverage[..., None].astype(np.float32) / 255
    return (255 * bare + np.asarray(colour, np.float32) * (1 - bare)).astype(np.uint8)


def _strokes(rng: Rng, size: Size, count: int, thick: int, loops: float) -> npt.NDArray[np.uint8]:
    """Pen tracks: smooth random curves through the box."""
    height, width = size
    plane = np.zeros(size, np.uint8)
    for _ in range(count):
        knots = int(rng.integers(5, 14))
        x = np.cumsum(rng.normal(1.0, loops, knots))
        y = rng.normal(0, 1, knots)
        fine = np.linspace(0, knots - 1, knots * 14)
        track = np.stack([_smooth(fine, x), _smooth(fine, y)], axis=1)
        low, high = track.min(0), track.max(0)
        track = (track - low) / np.maximum(high - low, 1e-6)
        track = track * [width - 2 * thick - 2, height - 2 * thick - 2] + thick + 1
        cv2.polylines(plane, [(track * 8).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 3)
    return plane


def _smooth(t: npt.NDArray[np.float64], knots: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Catmull-Rom interpolation of evenly spaced knots."""
    padded = np.concatenate([[2 * knots[0] - knots[1]], knots, [2 * knots[-1] - knots[-2]]])
    i = np.minimum(t.astype(int), len(knots) - 2)
    u = t - i
    a, b, c, d = (padded[i + k] for k in range(4))
    value: npt.NDArray[np.float64] = 0.5 * (
        2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3
    )
    return value


def _signature(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    return _tint(_strokes(rng, size, int(rng.integers(1, 3)), max(1, round(size[0] / 45)), 0.9), colour)


def _scribble(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    return _tint(_strokes(rng, size, int(rng.integers(1, 4)), max(1, round(size[0] / 40)), 2.5), colour)


def _tick(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    height, width = size
    plane = np.zeros(size, np.uint8)
    thick = max(1, height // 12)
    if rng.random() < 0.6:
        shape = [(0.1, 0.55), (rng.uniform(0.25, 0.4), 0.9), (rng.uniform(0.8, 0.95), 0.08)]
        lines = [np.array(shape)]
    else:
        lines = [np.array([(0.15, 0.15), (0.85, 0.85)]), np.array([(0.85, 0.12), (0.15, 0.9)])]
    for line in lines:
        cv2.polylines(plane, [(line * [width, height]).astype(np.int32)], False, 255, thick, cv2.LINE_AA)
    return _tint(plane, colour)


def _strike(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    return _tint(_strokes(rng, size, 2, max(1, size[0] // 8), 0.05), colour)


def _stamp(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    """A round or boxed seal whose rim letters are too broken to be read."""
    height, width = size
    plane = np.zeros(size, np.uint8)
    centre, radius = (width // 2, height // 2), min(size) // 2 - 3
    thick = max(1, radius // 30)
    if rng.random() < 0.75:
        for share in (1.0, float(rng.uniform(0.88, 0.95)), float(rng.uniform(0.5, 0.65))):
            cv2.circle(plane, centre, max(2, int(radius * share)), 255, thick, cv2.LINE_AA)
        _rim(plane, rng, centre, radius * 0.78, radius * 0.14)
        _strokes_into(plane, rng, centre, int(radius * 0.4), thick)
    else:
        cv2.rectangle(plane, (2, height // 4), (width - 3, 3 * height // 4), 255, thick * 2)
        _strokes_into(plane, rng, centre, int(radius * 0.3), thick)
    worn = cv2.subtract(plane, cv2.convertScaleAbs(speckle(rng, *size), alpha=float(rng.uniform(0.4, 0.9))))
    patchy = cv2.multiply(worn, field(rng, *size, period_px=max(8.0, radius / 2)), scale=1 / 200)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-40, 40)), 1.0)
    return _tint(np.asarray(cv2.warpAffine(patchy, turn, (width, height)), np.uint8), colour)


def _rim(plane: npt.NDArray[np.uint8], rng: Rng, centre: tuple[int, int], radius: float, tall: float) -> None:
    for angle in np.arange(0, 2 * np.pi, max(0.12, 1.1 * tall / radius)):
        x, y = centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)
        for _ in range(3):
            a, b = rng.uniform(-tall / 2, tall / 2, (2, 2))
            start, end = (int(x + a[0]), int(y + a[1])), (int(x + b[0]), int(y + b[1]))
            cv2.line(plane, start, end, 255, max(1, int(tall / 6)), cv2.LINE_AA)


def _strokes_into(
    plane: npt.NDArray[np.uint8], rng: Rng, centre: tuple[int, int], half: int, thick: int
) -> None:
    if half < 6:
        return
    sign = _strokes(rng, (half, 2 * half), 1, thick, 0.4)
    top, left = centre[1] - half // 2, centre[0] - half
    window = plane[top : top + half, left : left + 2 * half]
    np.maximum(window, sign[: window.shape[0], : window.shape[1]], out=window)


def _logo(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    height, width = size
    plane = np.zeros(size, np.uint8)
    side = min(size)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.uniform(0.3, 0.7) * width), int(rng.uniform(0.3, 0.7) * height))
        if rng.random() < 0.5:
            axes = (int(rng.uniform(0.2, 0.5) * side), int(rng.uniform(0.15, 0.5) * side))
            filled = -1 if rng.random() < 0.5 else max(1, side // 15)
            cv2.ellipse(plane, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, filled, cv2.LINE_AA)
        else:
            corners = rng.uniform(0.1, 0.9, (int(rng.integers(3, 6)), 2)) * [width, height]
            cv2.fillPoly(plane, [corners.astype(np.int32)], int(rng.integers(120, 256)), cv2.LINE_AA)
    return _tint(plane, colour)


def _photo(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    """A picture-like block: soft shapes, texture, sometimes line art or a chart."""
    height, width = size
    if rng.random() < 0.35:
        return _chart(rng, size)
    tone = np.stack(
        [field(rng, height, width, max(20, width / rng.uniform(1.5, 6))) for _ in range(3)], axis=-1
    )
    # Pictures vary far more in light than in hue.
    tone = cv2.addWeighted(tone, float(rng.choice([0.0, 0.35])), np.repeat(tone[..., :1], 3, axis=2), 0.65, 0)
    grain = np.repeat(fibre(rng, height, width)[..., None], 3, axis=2)
    return np.asarray(cv2.addWeighted(tone, 0.8, grain, 0.3, float(rng.uniform(-20, 20))), np.uint8)


def _chart(rng: Rng, size: Size) -> Sheet:
    height, width = size
    plane = np.zeros(size, np.uint8)
    cv2.rectangle(plane, (0, 0), (width - 1, height - 1), 255, 1)
    if rng.random() < 0.5:
        bars = int(rng.integers(3, 12))
        for i, top in enumerate(rng.uniform(0.1, 0.9, bars)):
            x = int((i + 0.2) * width / bars)
            cv2.rectangle(plane, (x, int(top * height)), (int(x + 0.6 * width / bars), height - 1), 170, -1)
    else:
        for _ in range(int(rng.integers(1, 4))):
            y = np.cumsum(rng.normal(0, 1, 40))
            y = (y - y.min()) / max(float(np.ptp(y)), 1e-6) * (height - 4) + 2
            track = np.stack([np.linspace(2, width - 3, 40), y], axis=1).astype(np.int32)
            cv2.polylines(plane, [track], False, 220, 2, cv2.LINE_AA)
    return _tint(plane, (20, 20, 30))


def _barcode(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    height, width = size
    module = max(1, width // 110)
    bars = np.repeat(rng.random(-(-width // module)) < 0.5, module)[:width]
    return np.where(bars[None, :, None], np.uint8(20), np.uint8(255)).repeat(height, 0).repeat(3, 2)


def _qr(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    modules = int(rng.integers(21, 37))
    code = (rng.random((modules, modules)) < 0.5).astype(np.uint8)
    for row, column in ((0, 0), (0, modules - 7), (modules - 7, 0)):
        eye = np.ones((7, 7), np.uint8)
        eye[1:6, 1:6] = 0
        eye[2:5, 2:5] = 1
        code[row : row + 7, column : column + 7] = eye
    large = cv2.resize(code, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.where(large[..., None] > 0, np.uint8(20), np.uint8(255)).repeat(3, 2)


def _hole(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    height, width = size
    patch = np.full((height, width, 3), 255, np.uint8)
    centre, radius = (width // 2, height // 2), min(size) // 2 - 2
    cv2.circle(
        patch, (centre[0] + 1, centre[1] + 1), radius, (170, 170, 170), max(1, radius // 6), cv2.LINE_AA
    )
    cv2.circle(patch, centre, max(1, radius - 1), colour, -1, cv2.LINE_AA)
    return patch


def _stain(rng: Rng, size: Size, colour: tuple[int, int, int]) -> Sheet:
    """A soft blot of coffee or damp."""
    blob = np.zeros(size, np.uint8)
    centre = (size[1] // 2, size[0] // 2)
    axes = (int(size[1] * 0.35), int(size[0] * 0.35))
    cv2.ellipse(blob, centre, axes, 0, 0, 360, int(rng.integers(30, 110)), -1)
    soft = cv2.GaussianBlur(blob, (0, 0), max(2.0, min(size) / 12))
    rough = cv2.multiply(soft, field(rng, *size, period_px=max(6.0, min(size) / 5)), scale=1 / 180)
    return _tint(rough, colour)


_DRAW: dict[MarkKind, Callable[[Rng, Size, tuple[int, int, int]], Sheet]] = {
    MarkKind.STAMP: _stamp, MarkKind.SIGNATURE: _signature, MarkKind.SCRIBBLE: _scribble,
    MarkKind.LOGO: _logo, MarkKind.PHOTO: _photo, MarkKind.BARCODE: _barcode, MarkKind.QR: _qr,
    MarkKind.TICK: _tick,
    MarkKind.STRIKE: _strike, MarkKind.HOLE: _hole, MarkKind.STAIN: _stain,
}  # fmt: skip
