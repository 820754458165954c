"""How a flat sheet lands in the picture: scale, skew, perspective and curl, for pixels and points alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

_MAP_STEP_PX = 16


@dataclass(frozen=True, slots=True)
class Bend:
    """Smooth displacement of the sheet: a sine along x moves points in y, and the reverse.

    ``ripple_px`` adds a shorter wave over both axes, as crumpled or damp paper has. Amplitudes and
    wave lengths in pixels, phases in radians.
    """

    lift_px: float = 0.0
    lift_length_px: float = 1000.0
    lift_phase: float = 0.0
    sway_px: float = 0.0
    sway_length_px: float = 1000.0
    sway_phase: float = 0.0
    ripple_px: float = 0.0
    ripple_length_px: float = 300.0

    def offset(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = points[..., 0], points[..., 1]
        dy = self.lift_px * np.sin(2 * np.pi * x / self.lift_length_px + self.lift_phase)
        dx = self.sway_px * np.sin(2 * np.pi * y / self.sway_length_px + self.sway_phase)
        if self.ripple_px:
            turn = 2 * np.pi / self.ripple_length_px
            dy = dy + self.ripple_px * np.sin(turn * (x + 0.6 * y) + self.sway_phase)
            dx = dx + self.ripple_px * np.sin(turn * (y - 0.4 * x) + self.lift_phase)
        return np.stack([dx, dy], axis=-1)


@dataclass(frozen=True, slots=True)
class Warp:
    """Picture size and the way from sheet to picture: bend first, then ``homography`` (3, 3)."""

    width_px: int
    height_px: int
    homography: tuple[float, ...]
    bend: Bend | None = None

    def _matrix(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.homography, np.float64).reshape(3, 3)

    def points(self, sheet: npt.NDArray[np.floating]) -> Points:
        """Sheet points (..., 2) to picture points (..., 2), float32."""
        flat = np.asarray(sheet, np.float64)
        if flat.size == 0:
            return flat.astype(np.float32)
        if self.bend is not None:
            # The image is pulled with source = target + offset(target); its inverse has no closed
            # form, but the bend is gentle (|gradient| < 1), so fixed-point iteration converges.
            moved = flat
            for _ in range(6):
                moved = flat - self.bend.offset(moved)
            flat = moved
        return _project(flat, self._matrix()).astype(np.float32)

    def image(self, sheet: Image, background: Image | tuple[int, int, int]) -> Image:
        """Pulls the sheet (H, W, 3) into the picture; outside the sheet the background shows."""
        warp = self._warp_flat if self.bend is None else self._warp_bent
        if not isinstance(background, np.ndarray):
            return warp(sheet, background)
        inside = warp(np.full(sheet.shape[:2], 255, np.uint8), (0, 0, 0))
        picture = warp(sheet, (0, 0, 0))
        return np.where(inside[..., None] > 127, picture, background).astype(np.uint8)

    def _warp_flat(self, sheet: Image, border: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
        size = (self.width_px, self.height_px)
        return np.asarray(
            cv2.warpPerspective(sheet, self._matrix(), size, flags=cv2.INTER_LINEAR, borderValue=border),
            np.uint8,
        )

    def _warp_bent(self, sheet: Image, border: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
        step = _MAP_STEP_PX
        # Half-step offsets keep the coarse grid where cv2.resize puts the centres of its cells.
        xs = (np.arange(-(-self.width_px // step)) + 0.5) * step - 0.5
        ys = (np.arange(-(-self.height_px // step)) + 0.5) * step - 0.5
        grid = np.stack(np.meshgrid(xs, ys), axis=-1)
        source = _project(grid, np.linalg.inv(self._matrix()))
        assert self.bend is not None
        source = (source + self.bend.offset(source)).astype(np.float32)
        full = cv2.resize(source, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
        full = full[: self.height_px, : self.width_px]
        return np.asarray(
            cv2.remap(
                sheet, full, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border
            ),
            np.uint8,
        )


def _project(points: npt.NDArray[np.float64], matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    projected: npt.NDArray[np.float64] = homogeneous[..., :2] / homogeneous[..., 2:]
    return projected


@dataclass(frozen=True, slots=True)
class Pose:
    """The look of the camera or scanner at the sheet, before pixels are known.

    ``margins`` are shares of the sheet's width added left, top, right, bottom (negative crops);
    ``corner_shift`` moves the four corners by shares of the width (perspective); ``curl`` is the
    height of the bend and ``ripple`` that of crumples, in shares of the width. ``aspect`` narrows
    (below 1) or widens the sheet, as condensed type and drum scanners do.
    """

    skew_deg: float
    margins: tuple[float, float, float, float]
    corner_shift: tuple[tuple[float, float], ...] | None
    curl: float
    curl_phase: float
    ripple: float = 0.0
    aspect: float = 1.0


def sample_pose(rng: np.random.Generator, photographed: bool, condensed: float = 0.0) -> Pose:
    """Mostly flat scans within ±4°; now and then ±12°; photographs also get perspective and curl.

    ``condensed`` is the chance that the sheet is narrowed.
    """
    wide = rng.random() < (0.2 if photographed else 0.06)
    skew = float(rng.uniform(-12, 12)) if wide else float(np.clip(rng.normal(0, 1.2), -4, 4))
    if photographed:
        margins = rng.uniform(0.01, 0.12, 4)
    elif rng.random() < 0.35:
        margins = rng.uniform(-0.01, 0.06, 4) * (rng.random(4) < 0.6)
    else:
        margins = np.zeros(4)
        skew *= 0.6
    shift = rng.uniform(-0.05, 0.05, (4, 2)) if photographed else None
    curl = 0.0
    if rng.random() < (0.5 if photographed else 0.15):
        curl = float(rng.uniform(0.002, 0.018 if photographed else 0.006))
    corners = None if shift is None else tuple((float(x), float(y)) for x, y in shift)
    left, top, right, bottom = (float(m) for m in margins)
    ripple = float(rng.uniform(0.0005, 0.003)) if rng.random() < 0.12 else 0.0
    aspect = float(rng.uniform(0.8, 1.1)) if rng.random() < 0.15 else 1.0
    if rng.random() < condensed:
        aspect = float(rng.uniform(0.65, 1.0))
    return Pose(
        skew, (left, top, right, bottom), corners, curl, float(rng.uniform(0, 2 * np.pi)), ripple, aspect
    )


def make_warp(pose: Pose, width_px: int, height_px: int) -> Warp:
    """The warp of a sheet of this size. A positive skew turns the page counter-clockwise."""
    left, top, right, bottom = (m * width_px for m in pose.margins)
    out_w, out_h = round(width_px * pose.aspect + left + right), round(height_px + top + bottom)
    turn = cv2.getRotationMatrix2D((width_px / 2, height_px / 2), pose.skew_deg, 1.0)
    matrix = np.vstack([turn, [0, 0, 1]])
    if pose.corner_shift is not None:
        square = np.array([[0, 0], [width_px, 0], [width_px, height_px], [0, height_px]], np.float32)
        moved = square + np.asarray(pose.corner_shift, np.float32) * width_px
        matrix = cv2.getPerspectiveTransform(square, moved) @ matrix
    matrix = np.array([[pose.aspect, 0, left], [0, 1, top], [0, 0, 1]]) @ matrix
    bend = None
    if pose.curl or pose.ripple:
        bend = Bend(
            lift_px=pose.curl * width_px,
            lift_length_px=width_px * 1.6,
            lift_phase=pose.curl_phase,
            sway_px=pose.curl * width_px * 0.5,
            sway_length_px=height_px * 1.9,
            sway_phase=pose.curl_phase * 1.7,
            ripple_px=pose.ripple * width_px,
            ripple_length_px=width_px * (0.3 + 0.1 * math.sin(pose.curl_phase)),
        )
    return Warp(out_w, out_h, tuple(float(v) for v in matrix.ravel()), bend)
