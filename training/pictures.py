"""Pictures of training sets, decoded as the service decodes what it is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from deployments.pixels import to_rgb
from deployments.types import Image


def read_rgb(path: Path) -> Image | None:
    """Pixels ``uint8 (H, W, 3)``, upright by EXIF, transparency laid over white; None for no picture."""
    try:
        with PIL.Image.open(path) as picture:
            return np.ascontiguousarray(to_rgb(PIL.ImageOps.exif_transpose(picture)))
    # Pillow answers damaged files with errors of many kinds.
    except Exception:
        return None
