"""Decoded pictures of any mode -> RGB, 8 bits a channel: Pillow and numpy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageCms

from deployments.types import Image

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC_INTERPRETATION = 262
_MIN_IS_WHITE = 0

_DEEP_GREY = {"I;16", "I;16B", "I;16L", "I;16N"}
_OPEN_RANGE = {"I", "F"}


def to_rgb(picture: PIL.Image.Image) -> Image:
    """Pixels of a loaded picture, ``uint8 (H, W, 3)``.

    Transparency is laid over white, as paper would be. Integer greys of more than 8 bits are scaled
    by the depth the file states; 32-bit and float greys, whose range no file states, by the range
    their values span (``_full_range``).
    """
    if picture.mode in _DEEP_GREY:
        return _from_grey(_scale_deep_grey(picture), picture)
    if picture.mode in _OPEN_RANGE:
        return _from_grey(_scale_open_range(np.asarray(picture)), picture)
    if picture.has_transparency_data:
        return np.asarray(_over_white(picture))
    if picture.mode == "LAB":
        return np.asarray(_from_lab(picture))
    # Converting to the mode it has would copy the picture.
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _over_white(picture: PIL.Image.Image) -> PIL.Image.Image:
    # Premultiplied greys convert to their plain form only.
    straight = picture.convert("LA") if picture.mode == "La" else picture
    paper = PIL.Image.new("RGBA", picture.size, "white")
    return PIL.Image.alpha_composite(paper, straight.convert("RGBA")).convert("RGB")


def _from_lab(picture: PIL.Image.Image) -> PIL.Image.Image:
    lab, srgb = PIL.ImageCms.createProfile("LAB"), PIL.ImageCms.createProfile("sRGB")
    converted = PIL.ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("LAB picture was not converted")
    return converted


def _from_grey(grey: npt.NDArray[np.uint8], picture: PIL.Image.Image) -> Image:
    # Pillow inverts white-is-zero TIFFs of up to 8 bits, and leaves deeper ones as stored.
    if _tiff_tag(picture, _PHOTOMETRIC_INTERPRETATION) == _MIN_IS_WHITE:
        grey = 255 - grey
    return np.repeat(grey[:, :, None], 3, axis=2)


def _scale_deep_grey(picture: PIL.Image.Image) -> npt.NDArray[np.uint8]:
    stated = _tiff_tag(picture, _BITS_PER_SAMPLE)
    full = 2 ** (stated if stated is not None and 8 < stated <= 16 else 16) - 1
    levels = np.rint(np.minimum(np.arange(65536), full) * (255.0 / full)).astype(np.uint8)
    return np.take(levels, np.asarray(picture))


def _scale_open_range(values: npt.NDArray[np.int32] | npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.full(values.shape, 255, np.uint8)
    low, high = _full_range(float(finite.min()), float(finite.max()), values.dtype.kind == "f")
    clean = np.nan_to_num(values.astype(np.float32), nan=high, posinf=high, neginf=low)
    scaled: npt.NDArray[np.float32] = np.clip((clean - low) * (255.0 / (high - low)), 0, 255)
    return np.rint(scaled).astype(np.uint8)


def _full_range(low: float, high: float, is_float: bool) -> tuple[float, float]:
    """Black and white of greys whose file states no range: a usual scale that holds them, or their own."""
    if low >= 0:
        for white in (1.0, 255.0, 65535.0) if is_float else (255.0, 65535.0):
            if high <= white:
                return 0.0, white
    return low, max(high, low + 1.0)


def _tiff_tag(picture: PIL.Image.Image, tag: int) -> int | None:
    """The first value of a TIFF tag, None for other formats and absent tags."""
    value = getattr(picture, "tag_v2", {}).get(tag)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else None
