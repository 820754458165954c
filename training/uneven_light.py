"""Lines as they look where the light changes along them: a lamp to one side, or the edge of a shadow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deployments.types import Image

# The light at its darkest, over that at its brightest.
DARKEST = 0.5


def shaded(image: Image, rng: np.random.Generator) -> Image:
    """A crop ``uint8 (H, W, 3)`` in one of the two lights, each as likely; not written to."""
    height, width = image.shape[:2]
    light = _shadow(height, width, rng) if rng.random() < 0.5 else _lamp(width, rng)
    return np.asarray(np.clip(image * light[..., None], 0, 255), np.uint8)


def _lamp(width: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    light = np.linspace(1.0, DARKEST, width)
    return light[None] if rng.random() < 0.5 else light[None, ::-1]


def _shadow(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A soft, slanting edge somewhere in the middle; the right of it lies in the shadow."""
    x, y = np.arange(width)[None], np.arange(height)[:, None]
    beyond = (x - rng.uniform(0.3, 0.7) * width + 0.7 * (y - height / 2)) / (0.4 * height)
    return np.asarray(1 - (1 - DARKEST) / (1 + np.exp(-np.clip(beyond, -50, 50))))
