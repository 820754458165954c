"""Image files -> pages: Pillow, kept to one format told beforehand.

Decoders meet hostile bytes here, so whatever they raise becomes an
:class:`~deployments.errors.InputError`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.PngImagePlugin

from deployments.errors import InputError, PayloadTooLarge, UnreadableDocument
from deployments.pixels import to_rgb
from deployments.types import Image
from serve_app.pages import PageLimits, SourceFile, SourcePage, check_size, megapixels
from serve_app.results import PageOrigin

_NEW_SUBFILE_TYPE = 254
_REDUCED_RESOLUTION = 1
_BITS_PER_SAMPLE, _PLANAR_CONFIGURATION, _SEPARATE = 258, 284, 2
_UNREAD_TIFF = (
    "The TIFF file is damaged, or of a variety that is not read: "
    "save it anew in grey or RGB, with 8 bits a channel."
)
_PLAUSIBLE_DPI = (50.0, 2400.0)
_OF_CAMERAS = {"JPEG", "MPO"}
_INCH_OR_CM = {1, 2}
# How many times finer one way than the other a TIFF's pixels may lie: faxes have 204 by 98 to the inch.
# What is nearly square is left as it is, and what no scan has is not believed.
_FINER_ONE_WAY = (1.25, 4.0)

# Profiles and notes beside the pixels are larger than Pillow expects; all together stay under its 64 MiB.
PIL.PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20

_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
# Of these, the ones that change width and height over.
_ON_ITS_SIDE = {5, 6, 7, 8}


class PictureFile:
    """The pages of an image file: all of a TIFF, the first frame of everything else.

    ``page_count`` counts at most one page more than ``limits.max_pages``, or the ``last`` to be read, need.
    """

    def __init__(self, file: SourceFile, kind: str, limits: PageLimits, last: int) -> None:
        self._file = file
        self._kind = kind
        self._limits = limits
        with self._errors():
            self._picture = PIL.Image.open(io.BytesIO(file.data), formats=[kind])
            self._pixels: list[int] = []
            self._frames = self._page_frames(last) if kind == "TIFF" else [0]

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return len(self._frames)

    def read(self, number: int, origin: PageOrigin) -> SourcePage:
        """Page ``number``, from 1.

        Raises:
            UnreadableDocument: the file is damaged, or the page too small.
            PayloadTooLarge: the page is too large; nothing is decoded then.
        """
        with self._errors():
            self._picture.seek(self._frames[number - 1])
            upright, pixels = self._decode()
            resolution = _resolution(self._picture)
            origin = replace(origin, dpi=max(resolution) if resolution else None)
        jpeg = self._file.data if self._kind == "JPEG" and upright else None
        return SourcePage(pixels, origin, jpeg=jpeg, is_grey=self._picture.mode == "L")

    def pixels(self, number: int) -> int:
        """How many page ``number``, from 1, will have."""
        return self._pixels[number - 1] if self._pixels else math.prod(self._picture.size)

    def close(self) -> None:
        """Free the file."""
        self._picture.close()

    def _decode(self) -> tuple[bool, Image]:
        """Whether the picture was stored as it is seen in plain colours, and its pixels."""
        picture = self._picture
        check_size(picture.size, self._limits)
        if self._kind == "TIFF" and _is_misread(picture):
            raise UnreadableDocument(_UNREAD_TIFF)
        square = _square_size(picture)
        check_size(square, self._limits)
        is_square = square == picture.size
        picture.load()
        turn = _TURNS.get(_orientation(picture))
        pixels = to_rgb(picture.transpose(turn) if turn is not None else picture)
        if is_square:
            return turn is None and picture.mode in {"L", "RGB"}, pixels
        return False, np.asarray(PIL.Image.fromarray(pixels).resize(square, PIL.Image.Resampling.BICUBIC))

    def _page_frames(self, last: int) -> list[int]:
        """Frames of a TIFF that are pages: previews are not. Directories are walked, no pixels read."""
        enough = max(last, self._limits.max_pages) + 1
        frames: list[int] = []
        # Previews do not count as pages, yet a file made of them alone must not keep us busy.
        for index in range(2 * enough):
            try:
                self._picture.seek(index)
            except EOFError:
                return frames
            except Exception:
                if not frames:
                    raise
                # A page that cannot be read, and no shorter document.
                self._pixels.append(0)
                return [*frames, index]
            if index == 0 or not _is_preview(self._picture):
                frames.append(index)
                self._pixels.append(math.prod(_square_size(self._picture)))
            if len(frames) == enough:
                return frames
        raise PayloadTooLarge(f"The TIFF file has more than {2 * enough - 1} pictures.")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (InputError, MemoryError):
            raise
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
            most = megapixels(self._limits.max_pixels)
            raise PayloadTooLarge(f"A page may have {most} megapixels at most.") from error
        except Exception as error:
            if self._kind == "TIFF" and isinstance(error, PIL.UnidentifiedImageError):
                raise UnreadableDocument(_UNREAD_TIFF) from error
            raise UnreadableDocument(f"The {self._kind} file is damaged or cut short.") from error


def _is_misread(picture: PIL.Image.Image) -> bool:
    """Pillow reads channels of 16 bits that are stored one after the other as if they were not."""
    tags = getattr(picture, "tag_v2", {})
    bits = np.atleast_1d(tags.get(_BITS_PER_SAMPLE, 1))
    return tags.get(_PLANAR_CONFIGURATION) == _SEPARATE and len(bits) > 1 and max(bits) > 8


def _is_preview(picture: PIL.Image.Image) -> bool:
    kind = getattr(picture, "tag_v2", {}).get(_NEW_SUBFILE_TYPE, 0)
    return bool(int(kind) & _REDUCED_RESOLUTION)


def _orientation(picture: PIL.Image.Image) -> int:
    """EXIF orientation, 1 (upright) when absent or when the metadata alone is damaged."""
    try:
        return int(picture.getexif().get(PIL.ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _resolution(picture: PIL.Image.Image) -> tuple[float, float] | None:
    """Dots to the inch across and down as the file states them; None for none, and for what no scan has."""
    if picture.format in _OF_CAMERAS and not _states_resolution(picture):
        return None
    try:
        across, down = (float(value) for value in picture.info["dpi"][:2])
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    low, high = _PLAUSIBLE_DPI
    return (across, down) if low <= min(across, down) and max(across, down) <= high else None


def _states_resolution(picture: PIL.Image.Image) -> bool:
    """Pillow takes a JPEG with EXIF data that says nothing of its resolution for one of 72 dpi."""
    if picture.info.get("jfif_unit") in _INCH_OR_CM:
        return True
    try:
        return PIL.ExifTags.Base.XResolution in picture.getexif()
    except Exception:
        return False


def _square_size(picture: PIL.Image.Image) -> tuple[int, int]:
    """Width and height at which the pixels of a TIFF are square: larger one way, or as they are.

    Other formats are shown everywhere as if their pixels were square, whatever their files say.
    """
    width, height = picture.size
    across, down = _resolution(picture) or (1.0, 1.0)
    low, high = _FINER_ONE_WAY
    if picture.format != "TIFF" or not low <= max(across, down) / min(across, down) <= high:
        return width, height
    if _orientation(picture) in _ON_ITS_SIDE:
        # Pillow tells the size of a TIFF as it is seen, and its resolution as it is stored.
        across, down = down, across
    return round(width * max(down / across, 1.0)), round(height * max(across / down, 1.0))
