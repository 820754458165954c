"""Lines as they look where the light changes along them: a lamp to one side, or the edge of a shadow.

What is left of it after ``deployments.recognition.light`` is learnt: ``sample`` draws a light for a line
at a visit, ``apply`` is deterministic. ``shaded`` lays the strong lights over a line that evaluation uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.grey import Grey
from deployments.types import Image

# The light at its darkest, over that at its brightest, where it is evaluated.
DARKEST = 0.5
# Share of lines in training that lie in uneven light.
_SHARE = 0.15
_WEAKEST = 0.95


@dataclass(frozen=True, slots=True)
class Light:
    """One draw. ``darkest`` is over the brightest; ``edge`` is where a shadow begins, a share of the width.

    Without an edge it is a lamp, to the left unless ``from_right``. ``slant`` is the columns by which the
    edge of a shadow moves with each row, and ``softness`` the columns it takes, as a share of the height.
    """

    darkest: float
    edge: float | None = None
    from_right: bool = False
    slant: float = 0.7
    softness: float = 0.4


def sample(rng: np.random.Generator) -> Light | None:
    """Draw a light from hardly seen to that of ``shaded``; None for most lines."""
    if rng.random() >= _SHARE:
        return None
    return Light(
        darkest=float(rng.uniform(DARKEST, _WEAKEST)),
        edge=float(rng.uniform(0.05, 0.95)) if rng.random() < 0.5 else None,
        from_right=bool(rng.random() < 0.5),
        slant=float(rng.normal(0.0, 0.7)),
        softness=float(rng.uniform(0.1, 0.6)),
    )


def apply(grey: Grey, light: Light) -> Grey:
    """A grey line ``uint8 (H, W)`` in that light; not written to."""
    height, width = grey.shape
    return _lit(grey, _plane(height, width, light))


def shaded(image: Image, rng: np.random.Generator) -> Image:
    """A crop ``uint8 (H, W, 3)`` in one of two strong lights, each as likely; not written to."""
    if rng.random() < 0.5:
        light = Light(DARKEST, edge=float(rng.uniform(0.3, 0.7)))
    else:
        light = Light(DARKEST, from_right=rng.random() >= 0.5)
    height, width = image.shape[:2]
    return _lit(image, _plane(height, width, light)[..., None])


def _lit(pixels: npt.NDArray[np.uint8], plane: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(pixels * plane, 0, 255), np.uint8)


def _plane(height: int, width: int, light: Light) -> npt.NDArray[np.float64]:
    """Share of the brightest light at every pixel, ``(H, W)`` or ``(1, W)``."""
    if light.edge is None:
        lamp = np.linspace(1.0, light.darkest, width)[None]
        return lamp[:, ::-1] if light.from_right else lamp
    x, y = np.arange(width)[None], np.arange(height)[:, None]
    beyond = (x - light.edge * width + light.slant * (y - height / 2)) / (light.softness * height)
    shadow = 1 - (1 - light.darkest) / (1 + np.exp(-np.clip(beyond, -50, 50)))
    return shadow[:, ::-1] if light.from_right else np.asarray(shadow)
