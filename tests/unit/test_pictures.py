"""What picture files say of themselves, and varieties of them that are not read."""

from __future__ import annotations

import struct

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest

from deployments.errors import UnreadableDocument
from serve_app.documents import open_document
from serve_app.pages import SourceFile, SourcePage
from tests.pictures import encoded
from tests.tiffs import SIDE, tiff_of
from tests.unit.test_pdf import BOUNDS

PIXELS = SIDE * SIDE
X_RESOLUTION, Y_RESOLUTION, UNIT, MAKE = 0x011A, 0x011B, 0x0128, 0x010F


def decode(data: bytes) -> SourcePage:
    with open_document([SourceFile(data)], BOUNDS) as document:
        (page,) = document
    return page


def jpeg(**options: object) -> bytes:
    return encoded(PIL.Image.new("RGB", (40, 20), "white"), "JPEG", **options)


def exif(**tags: object) -> PIL.Image.Exif:
    made = PIL.Image.Exif()
    made.update({MAKE: "camera", **tags})
    return made


def test_a_photograph_that_states_no_resolution_has_none() -> None:
    assert decode(jpeg(exif=exif())).origin.dpi is None
    assert decode(jpeg()).origin.dpi is None


def test_the_resolution_of_a_jpeg_is_that_of_either_header() -> None:
    with_tags = exif()
    with_tags.update({X_RESOLUTION: 300.0, Y_RESOLUTION: 300.0, UNIT: 2})
    assert decode(jpeg(exif=with_tags)).origin.dpi == 300
    assert decode(jpeg(exif=exif(), dpi=(200, 200))).origin.dpi == 200


@pytest.mark.parametrize(
    "data",
    [
        tiff_of([16, 16], 1, [bytes(4 * PIXELS)], extra=2),
        tiff_of([8] * 5, 5, [bytes(5 * PIXELS)], extra=2),
        tiff_of([32] * 3, 2, [struct.pack("<f", 0.5) * 3 * PIXELS], sample_format=3),
        tiff_of([16], 0, [bytes(2 * PIXELS)], order=">"),
        tiff_of([16] * 3, 2, [b"\0\x80" * PIXELS] * 3, planar=2),
    ],
    ids=["grey-alpha-16", "cmyk-alpha", "rgb-float", "white-is-zero-16", "planes-16"],
)
def test_a_variety_of_tiff_that_is_not_read_is_told_from_damage(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"variety.*8 bits"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "level"),
    [
        (tiff_of([8] * 3, 2, [b"\x80" * PIXELS] * 3, planar=2), 128),
        (tiff_of([8], 1, [b"\x80" * PIXELS]), 128),
        (tiff_of([16], 1, [b"\0\x80" * PIXELS]), 128),
    ],
    ids=["planes-8", "grey", "grey-16"],
)
def test_others_are_read(data: bytes, level: int) -> None:
    np.testing.assert_array_equal(decode(data).image, np.full((SIDE, SIDE, 3), level))


def test_a_torn_file_is_damaged() -> None:
    with pytest.raises(UnreadableDocument, match="damaged or cut short"):
        decode(jpeg()[:-60])


def test_a_png_may_carry_much_beside_its_pixels() -> None:
    note = PIL.PngImagePlugin.PngInfo()
    note.add_text("XML:com.adobe.xmp", "history " * 200_000, zip=True)
    data = encoded(PIL.Image.new("RGB", (40, 20), "white"), "PNG", pnginfo=note)
    assert decode(data).image.shape == (20, 40, 3)


def test_a_tiff_whose_last_page_is_lost_keeps_the_others() -> None:
    pages = [PIL.Image.new("L", (40, 20), level) for level in (0, 100, 200)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    torn = data[: find_directories(data)[-1] + 4]
    with open_document([SourceFile(torn)], BOUNDS) as document:
        assert document.page_count == 3
        levels = [int(document.read(index).image[0, 0, 0]) for index in range(2)]
        assert levels == [0, 100]
        with pytest.raises(UnreadableDocument):
            document.read(2)


def find_directories(data: bytes) -> list[int]:
    """Where the directories of a little-endian TIFF begin."""
    places, (at,) = [], struct.unpack_from("<I", data, 4)
    while at:
        places.append(at)
        (entries,) = struct.unpack_from("<H", data, at)
        (at,) = struct.unpack_from("<I", data, at + 2 + 12 * entries)
    return places
