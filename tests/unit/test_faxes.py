"""TIFFs whose pixels lie finer one way than the other come out with square pixels."""

from __future__ import annotations

import PIL.Image
import pytest

from deployments.errors import PayloadTooLarge
from deployments.types import Image
from serve_app.documents import open_document
from serve_app.pages import SourceFile
from tests.api_client import Bounds
from tests.pictures import encoded

BOUNDS = Bounds(max_pixels=20_000)


def fax(width: int, height: int, dpi: tuple[float, float], **options: object) -> bytes:
    """A bilevel TIFF with a black left half."""
    image = PIL.Image.new("1", (width, height), 1)
    image.paste(0, (0, 0, width // 2, height))
    return encoded(image, "TIFF", dpi=dpi, **options)


def decode(data: bytes) -> list[Image]:
    with open_document([SourceFile(data)], BOUNDS) as document:
        return [page.image for page in document]


@pytest.mark.parametrize(
    ("dpi", "shape"),
    [
        ((204, 98), (125, 50)),  # a fax of standard resolution
        ((204, 391), (60, 96)),  # and of the finest
        ((204, 196), (60, 50)),  # nearly square: left as it is
        ((200, 200), (60, 50)),
        ((2400, 60), (60, 50)),  # no scanner's
        ((1, 2), (60, 50)),  # a ratio without a unit
    ],
)
def test_pixels_of_a_fax_are_made_square(dpi: tuple[int, int], shape: tuple[int, int]) -> None:
    with open_document([SourceFile(fax(50, 60, dpi))], BOUNDS) as document:
        (page,) = document
    assert page.image.shape == (*shape, 3)
    dark = (page.image[..., 0] < 128).mean(axis=0)
    assert dark[: shape[1] // 2 - 2].all() and not dark[shape[1] // 2 + 2 :].any()
    assert page.origin.dpi == (max(dpi) if min(dpi) >= 50 else None)


def test_a_fax_that_lies_on_its_side_is_made_square_along_its_own_pixels() -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6
    (page,) = decode(fax(50, 60, (204, 98), exif=exif))
    assert page.shape == (50, 125, 3)


def test_a_fax_is_as_large_as_it_will_be_made() -> None:
    with pytest.raises(PayloadTooLarge, match="megapixels"):
        decode(fax(100, 150, (204, 98)))


def test_other_formats_are_shown_as_if_their_pixels_were_square() -> None:
    (page,) = decode(encoded(PIL.Image.new("RGB", (24, 16), "white"), "PNG", dpi=(204, 98)))
    assert page.shape == (16, 24, 3)
