"""Lines out of focus or moved, sharpened, for another look at those that a network was unsure of.

Wiener's filter for a Gaussian blur ("Extrapolation, Interpolation, and Smoothing of Stationary Time
Series", 1949): it divides by what the blur left of each frequency, less where hardly anything but noise
is left. How far a line was out of focus is not known exactly, so it is sharpened to several degrees and
the network says which it reads most surely (docs/decisions/0027-out-of-focus.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.recognition.preprocess import INK_MAX, INK_MIN, Ink

BLURRED_PX = 1.3
"""From this softness on a line counts as blurred; pens stay below it, and most print does."""

_STEEPEST = 99
_LEAST_SLOPE = 1e-3
# The softness of a step from one pixel to the next, which is not to be undone.
_IN_FOCUS_PX = 0.8
# What a line is continued by on each side: the filter reaches about as far.
_MARGIN_PX = 16


@dataclass(frozen=True, slots=True)
class Softness:
    """Sigmas in pixels of the Gaussian that makes an edge as soft as a line's steepest.

    ``along`` the line and ``down``. Thin strokes lose height to a blur as well and count as softer than
    they are.
    """

    along: float
    down: float

    @classmethod
    def of(cls, ink: Ink) -> Softness:
        """Softness of a line, ``float32 (H, W)``, paper 0 and ink 1; none where it is not 3 px either way."""
        if min(ink.shape) < 3:
            return cls(0.0, 0.0)
        return cls(_softness(ink[:, 2:] - ink[:, :-2]), _softness(ink[2:] - ink[:-2]))

    @property
    def is_blurred(self) -> bool:
        return max(self.along, self.down) >= BLURRED_PX


@dataclass(frozen=True, slots=True)
class Degree:
    """Of sharpening: against a Gaussian of ``sigma_px``, and with this power of noise over that of ink."""

    sigma_px: float
    noise: float


DEGREES = (Degree(1.0, 0.1), Degree(1.5, 0.03), Degree(2.0, 0.03))


def sharpened(ink: Ink, width_px: int) -> list[Ink]:
    """The line sharpened to each of :data:`DEGREES`; each ``float32 (H, W)`` as it came.

    A line that is soft in one direction only, as a camera's motion leaves it, is sharpened in that one.
    ``width_px``: W or more, a number with small factors, for a fast transform.
    """
    height, width = ink.shape
    after = _MARGIN_PX + width_px - width
    wider = np.pad(ink, ((_MARGIN_PX, _MARGIN_PX), (_MARGIN_PX, after)), mode="edge")
    spectrum = np.fft.rfft2(wider)
    along, down = _blur_shares(Softness.of(ink))
    within = np.s_[_MARGIN_PX : _MARGIN_PX + height, _MARGIN_PX : _MARGIN_PX + width]
    views = []
    for degree in DEGREES:
        gains = _gains(wider.shape, degree.sigma_px * along, degree.sigma_px * down, degree.noise)
        view = np.fft.irfft2(spectrum * gains, wider.shape)[within]
        views.append(np.clip(view, INK_MIN, INK_MAX).astype(np.float32))
    return views


def _softness(rises: Ink) -> float:
    """Of an edge that rises over two pixels as steeply as the line does anywhere."""
    slope = float(np.percentile(np.abs(rises), _STEEPEST)) / 2
    return 1 / (math.sqrt(2 * math.pi) * max(slope, _LEAST_SLOPE))


def _blur_shares(softness: Softness) -> tuple[float, float]:
    """The blur beyond edges in focus, along and down, over the greater of both."""
    along, down = (math.sqrt(max(each**2 - _IN_FOCUS_PX**2, 0.0)) for each in (softness.along, softness.down))
    greater = max(along, down)
    return (along / greater, down / greater) if greater else (0.0, 0.0)


def _gains(shape: tuple[int, ...], along_px: float, down_px: float, noise: float) -> npt.NDArray[np.float64]:
    """Of the filter, at the frequencies of ``rfft2`` of this shape; 1 for even ground."""
    down = np.fft.fftfreq(shape[0])[:, None]
    along = np.fft.rfftfreq(shape[1])[None, :]
    left = np.exp(-2 * np.pi**2 * ((along_px * along) ** 2 + (down_px * down) ** 2))
    return np.asarray(left * (1 + noise) / (left**2 + noise), np.float64)
