"""Pictures of training sets, decoded as the service decodes what it is sent."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from deployments.types import Image

_MAY_BE_TRANSPARENT = {".png", ".webp", ".tif", ".tiff"}
_OPAQUE = 255


def read_rgb(path: Path) -> Image | None:
    """Pixels ``uint8 (H, W, 3)``, transparency laid over white; None where there is no readable picture."""
    if path.suffix.lower() in _MAY_BE_TRANSPARENT:
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if stored is not None and stored.ndim == 3 and stored.shape[2] == 4:
            return _over_white(stored)
    decoded = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if decoded is None else np.ascontiguousarray(decoded[:, :, ::-1], np.uint8)


def _over_white(stored: cv2.typing.MatLike) -> Image:
    """RGB of BGRA, of 8 or 16 bits."""
    pixels = (stored >> 8 if stored.dtype == np.uint16 else stored).astype(np.float32)
    share = pixels[..., 3:] / _OPAQUE
    laid = pixels[..., 2::-1] * share + _OPAQUE * (1 - share)
    return np.asarray(np.rint(laid), np.uint8)
