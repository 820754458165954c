"""What scanners, cameras, forms and croppers do to a line, drawn at random for both kinds alike.

A classifier takes any short cut that tells its training sets apart: paper, resolution, tightness
of the box, rulings. So every degradation here is drawn without regard to the kind, and scraps of
other lines of either kind may show at the edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import Grey

Rng = np.random.Generator

MIN_SIDE_PX = 4
MAX_HEIGHT_PX = 64
MIN_HEIGHT_PX = 15


def augment(grey: Grey, margin_px: int, scrap: Grey, rng: Rng) -> Grey:
    """One random rendition of a line.

    Args:
        grey: ``uint8 (h, w)``, the line with ``margin_px`` of its surroundings on all sides.
        scrap: another line, whose edge may intrude as a neighbour or shine through the paper.

    Returns:
        ``uint8 (h', w')``, at most ``MAX_HEIGHT_PX`` high.
    """
    line = _crop(grey, margin_px, rng)
    line = _shorten(line, rng)
    if rng.random() < 0.25:
        line = _neighbour(line, scrap, rng)
    line = _warp(line, rng)
    for probability, change in _CHANGES:
        if rng.random() < probability:
            line = change(line, rng)
    if rng.random() < 0.1:
        line = _shine_through(line, scrap, rng)
    line = _resample(line, rng)
    for probability, change in _SENSOR:
        if rng.random() < probability:
            line = change(line, rng)
    return np.ascontiguousarray(line)


def _bytes(values: npt.NDArray[np.floating[Any]]) -> Grey:
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)


def _crop(grey: Grey, margin_px: int, rng: Rng) -> Grey:
    """The line with its box drawn looser or tighter than it is."""
    height, width = grey.shape
    inner = max(1, height - 2 * margin_px)
    slack = rng.normal(-0.03, 0.1, 4).clip(-0.25, 0.13) * inner
    if rng.random() < 0.3:
        slack[:] = 0
    top, bottom, left, right = (margin_px + slack).astype(int)
    pads = [max(0, -side) for side in (top, bottom, left, right)]
    if any(pads):
        grey = np.pad(grey, (pads[:2], pads[2:]), mode="edge")
        top, bottom, left, right = (max(0, side) for side in (top, bottom, left, right))
        height, width = grey.shape
    cut = grey[top : height - bottom, left : width - right]
    return cut if min(cut.shape) >= MIN_SIDE_PX else grey


def _shorten(line: Grey, rng: Rng) -> Grey:
    """Often only a stretch of the line, down to about a letter or two."""
    height, width = line.shape
    if rng.random() < 0.5 or width < 1.2 * height:
        return line
    length = round(height * math.exp(rng.uniform(math.log(0.9), math.log(width / height))))
    start = int(rng.integers(0, width - length + 1))
    part = line[:, start : start + length]
    # An empty stretch says nothing of the kind.
    return part if part.std() > 0.5 * line.std() else line


def _neighbour(line: Grey, scrap: Grey, rng: Rng) -> Grey:
    """The edge of a line above or below, toned like this paper."""
    height, width = line.shape
    strip = max(1, round(height * rng.uniform(0.05, 0.22)))
    scaled = cv2.resize(scrap, (max(width, round(scrap.shape[1] * height / scrap.shape[0])), height))
    above = rng.random() < 0.5
    edge = scaled[-strip:, :width] if above else scaled[:strip, :width]
    shade = edge.astype(np.float32) / max(1.0, float(np.percentile(edge, 90)))
    line = line.copy()
    target = line[:strip] if above else line[-strip:]
    target[:] = np.clip(target * shade.clip(0, 1), 0, 255)
    return line


def _warp(line: Grey, rng: Rng) -> Grey:
    """Slant, a little rotation, another width of letters, sometimes a wavy baseline."""
    height, width = line.shape
    stretch = math.exp(rng.normal(0, 0.15))
    shear, turn = rng.normal(0, 0.1), math.radians(rng.normal(0, 1.0))
    if width > 12 * height:
        turn /= 4
    matrix = np.array([[stretch, -shear, shear * height / 2], [math.sin(turn), 1, 0]], dtype=np.float64)
    matrix[1, 2] = -math.sin(turn) * width / 2
    size = (max(MIN_SIDE_PX, round(width * stretch)), height)
    line = cv2.warpAffine(line, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.15:
        columns = np.arange(line.shape[1], dtype=np.float32)
        period = line.shape[0] * rng.uniform(4, 20)
        shift = rng.uniform(0.02, 0.1) * height * np.sin(columns * 2 * np.pi / period + rng.uniform(0, 6))
        rows = np.arange(height, dtype=np.float32)[:, None] + shift[None].astype(np.float32)
        grid = np.broadcast_to(columns, rows.shape).astype(np.float32)
        line = cv2.remap(line, grid, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(line, dtype=np.uint8)


def _stroke(line: Grey, rng: Rng) -> Grey:
    """Thicker or thinner strokes: rank filters over a few pixels, mixed with the original."""
    kernel = np.ones((2, 2), np.uint8) if line.shape[0] < 40 else np.ones((3, 3), np.uint8)
    other = cv2.erode(line, kernel) if rng.random() < 0.6 else cv2.dilate(line, kernel)
    mix = float(rng.uniform(0.3, 1))
    return np.asarray(cv2.addWeighted(other, mix, line, 1 - mix, 0), dtype=np.uint8)


def _rule(line: Grey, rng: Rng) -> Grey:
    """Rulings of forms and tables: underlines, frames, dotted lines."""
    line = line.copy()
    height, width = line.shape
    tone = min(255, int(np.percentile(line, 2) * rng.uniform(0.8, 1.2) + rng.uniform(0, 60)))
    thickness = int(rng.integers(1, max(2, height // 16) + 1))
    for _ in range(int(rng.integers(1, 3))):
        if rng.random() < 0.75:
            y = int(height * (rng.uniform(0.75, 1) if rng.random() < 0.7 else rng.uniform(0, 0.2)))
            drop = int(rng.normal(0, 0.03) * height)
            if rng.random() < 0.25:
                line[y : y + thickness, :: int(rng.integers(3, 8))] = tone
            else:
                cv2.line(line, (0, y), (width, y + drop), tone, thickness)
        else:
            x = int(width * (rng.uniform(0, 0.1) if rng.random() < 0.5 else rng.uniform(0.9, 1)))
            cv2.line(line, (x, 0), (x, height), tone, thickness)
    return line


def _light(line: Grey, rng: Rng) -> Grey:
    """Uneven light: a gradient of up to two fifths across the line, and a gamma."""
    height, width = line.shape
    slope = rng.uniform(-0.4, 0.4)
    gain = 1 + slope * np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
    gain = gain * (1 + rng.uniform(-0.2, 0.2) * np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None])
    toned = 255 * (line.astype(np.float32) / 255) ** math.exp(rng.normal(0, 0.3))
    return _bytes(toned * gain)


def _fade(line: Grey, rng: Rng) -> Grey:
    """Less contrast, lighter or darker."""
    gain, floor = rng.uniform(0.25, 0.9), rng.uniform(0, 120)
    return _bytes(line * gain + floor)


def _stain(line: Grey, rng: Rng) -> Grey:
    """A soft blot, or grain of the paper at a coarse scale."""
    height, width = line.shape
    coarse = rng.normal(0, rng.uniform(5, 25), (max(2, height // 12), max(2, width // 12))).astype(np.float32)
    grain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return _bytes(line + grain)


def _invert(line: Grey, rng: Rng) -> Grey:
    return np.asarray(255 - line, dtype=np.uint8)


def _shine_through(line: Grey, scrap: Grey, rng: Rng) -> Grey:
    """The other side of the sheet, mirrored and faint."""
    back = cv2.resize(scrap, (line.shape[1], line.shape[0]))[:, ::-1].astype(np.float32)
    shade = back / max(1.0, float(np.percentile(back, 90)))
    strength = rng.uniform(0.05, 0.25)
    return _bytes(line * (1 - strength * (1 - shade.clip(0, 1))))


def _resample(line: Grey, rng: Rng) -> Grey:
    """The resolution of the page it was on: log-uniform between two fixed heights."""
    height, width = line.shape
    target = math.exp(rng.uniform(math.log(MIN_HEIGHT_PX), math.log(1.3 * MAX_HEIGHT_PX)))
    scale = min(target, MAX_HEIGHT_PX, max(height, 24)) / height
    size = (max(MIN_SIDE_PX, round(width * scale)), max(MIN_SIDE_PX, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(line, size, interpolation=method), dtype=np.uint8)


def _blur(line: Grey, rng: Rng) -> Grey:
    sigma = float(rng.uniform(0.3, 0.03 * line.shape[0] + 0.5))
    if rng.random() < 0.3:
        length = int(rng.integers(2, max(3, line.shape[0] // 10) + 1))
        kernel = np.ones((1, length), np.float32) / length
        return np.asarray(cv2.filter2D(line, -1, kernel if rng.random() < 0.5 else kernel.T), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(line, (0, 0), sigma), dtype=np.uint8)


def _sharpen(line: Grey, rng: Rng) -> Grey:
    soft = cv2.GaussianBlur(line, (0, 0), 1.0)
    amount = float(rng.uniform(0.3, 1.5))
    return np.asarray(cv2.addWeighted(line, 1 + amount, soft, -amount, 0), dtype=np.uint8)


def _noise(line: Grey, rng: Rng) -> Grey:
    grain = rng.standard_normal(line.shape, dtype=np.float32) * np.float32(rng.uniform(2, 18))
    return _bytes(line + grain)


def _jpeg(line: Grey, rng: Rng) -> Grey:
    quality = int(rng.integers(15, 90))
    coded = cv2.imencode(".jpg", line, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _bilevel(line: Grey, rng: Rng) -> Grey:
    """A fax or a bilevel scan."""
    level, _ = cv2.threshold(line, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.where(line > level + rng.uniform(-10, 15), 255, 0).astype(np.uint8)


_CHANGES: tuple[tuple[float, Callable[[Grey, Rng], Grey]], ...] = (
    (0.3, _stroke),
    (0.2, _rule),
    (0.35, _light),
    (0.3, _fade),
    (0.2, _stain),
    (0.05, _invert),
)
_SENSOR: tuple[tuple[float, Callable[[Grey, Rng], Grey]], ...] = (
    (0.3, _blur),
    (0.12, _sharpen),
    (0.35, _noise),
    (0.06, _bilevel),
    (0.4, _jpeg),
)
