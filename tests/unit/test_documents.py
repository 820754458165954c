from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.errors import (
    InputError,
    InvalidParameter,
    MalformedRequest,
    PayloadTooLarge,
    UnreadableDocument,
    UnsupportedFormat,
)
from deployments.types import Image
from serve_app.documents import Format, open_document, sniff
from serve_app.page_ranges import parse_ranges
from serve_app.pages import DocumentOptions, SourceFile
from tests.pictures import encoded


@dataclass(frozen=True)
class Bounds:
    max_pixels: int = 20_000
    max_pages: int = 3
    max_document_pixels: int = 60_000
    max_side_px: int = 400
    min_side_px: int = 4
    max_render_s: float = 5.0


BOUNDS = Bounds()
PICTURES = [kind for kind in Format if kind is not Format.PDF]


def decode(data: bytes, limits: Bounds) -> list[Image]:
    with open_document([SourceFile(data)], limits) as document:
        return [page.image for page in document]


def picture(width: int = 24, height: int = 16) -> PIL.Image.Image:
    """White, with a black corner at the top left and a red right half."""
    image = PIL.Image.new("RGB", (width, height), "white")
    image.paste("red", (width // 2, 0, width, height))
    image.paste("black", (0, 0, width // 4, height // 4))
    return image


ENCODED = {
    kind: encoded(picture(), kind.value, **({"lossless": True} if kind is Format.WEBP else {}))
    for kind in PICTURES
}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_format_is_told_by_content_and_decoded(kind: Format) -> None:
    assert sniff(ENCODED[kind]) is kind
    (page,) = decode(ENCODED[kind], BOUNDS)
    assert page.shape == (16, 24, 3) and page.dtype == np.uint8 and page.flags.c_contiguous
    assert page[1, 1].max() < 60
    assert page[12, 4].min() > 200
    assert page[8, 20, 0] > 200 and page[8, 20, 1:].max() < 60


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [Format.JPEG, Format.TIFF, Format.PNG, Format.WEBP])
def test_orientation_is_applied(kind: Format, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = PIL.Image.new("L", (60, 40), 255)
    image.paste(0, (0, 0, 24, 16))
    (page,) = decode(encoded(image, kind.value, exif=exif), BOUNDS)
    assert page.shape[:2] == ((40, 60) if orientation < 5 else (60, 40))
    dark_row, dark_column = np.argwhere(page[:, :, 0] < 100).mean(axis=0) * 2 < page.shape[:2]
    # The stored top left corner shown: top left, top right, bottom right, bottom left, then transposed.
    top = orientation in (1, 2, 5, 6)
    left = orientation in (1, 4, 5, 8)
    assert (bool(dark_row), bool(dark_column)) == (top, left)


def test_damaged_orientation_does_not_spoil_the_picture() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x00")
    with warnings.catch_warnings(action="ignore"):
        assert decode(data, BOUNDS)[0].shape == (16, 24, 3)


def grey_ramp(mode: str, white: float) -> PIL.Image.Image:
    values = np.tile(np.linspace(0, white, 16), (8, 1))
    dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    return PIL.Image.fromarray(values.astype(dtype))


@pytest.mark.parametrize(
    ("mode", "white", "kind"),
    [("I;16", 65535, "PNG"), ("I;16", 65535, "TIFF"), ("I", 65535, "TIFF"), ("I", 255, "TIFF"),
     ("F", 1.0, "TIFF"), ("F", 255.0, "TIFF"), ("F", 65535.0, "TIFF"), ("I", 2_000_000, "TIFF")],
)  # fmt: skip
def test_deep_greys_keep_their_scale(mode: str, white: float, kind: str) -> None:
    (page,) = decode(encoded(grey_ramp(mode, white), kind), BOUNDS)
    np.testing.assert_allclose(page[0, :, 1], np.linspace(0, 255, 16), atol=1)


def test_negative_and_missing_values_of_a_float_picture() -> None:
    values = np.tile(np.linspace(-3, 1, 16, dtype=np.float32), (8, 1))
    values[0, 0], values[0, 1] = np.nan, np.inf
    (page,) = decode(encoded(PIL.Image.fromarray(values), "TIFF"), BOUNDS)
    assert page[1, 0, 0] == 0 and page[1, 15, 0] == 255
    assert page[0, 0, 0] == 255 and page[0, 1, 0] == 255


def test_a_float_picture_of_nothing_is_white() -> None:
    values = np.full((8, 16), np.nan, np.float32)
    (page,) = decode(encoded(PIL.Image.fromarray(values), "TIFF"), BOUNDS)
    assert (page == 255).all()


def test_white_is_zero_16_bit_tiff_is_inverted() -> None:
    (page,) = decode(encoded(grey_ramp("I;16", 65535), "TIFF", tiffinfo={262: 0}), BOUNDS)
    np.testing.assert_allclose(page[0, :, 0], np.linspace(255, 0, 16), atol=1)


def test_transparency_is_laid_over_white() -> None:
    clear = PIL.Image.new("RGBA", (16, 8), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 8, 8))
    palette = clear.convert("P")
    palette.info["transparency"] = palette.getpixel((12, 4))
    keyed = PIL.Image.new("RGB", (16, 8), (1, 2, 3))
    keyed.paste((0, 0, 0), (0, 0, 8, 8))
    for data in (
        encoded(clear, "PNG"),
        encoded(clear.convert("LA"), "PNG"),
        encoded(clear, "WEBP", lossless=True),
        encoded(palette, "PNG", transparency=palette.info["transparency"]),
        encoded(keyed, "PNG", transparency=(1, 2, 3)),
    ):
        (page,) = decode(data, BOUNDS)
        assert page[4, 4].tolist() == [0, 0, 0] and page[4, 12].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [(picture().convert("CMYK"), "JPEG", {"quality": 95}), (picture().convert("CMYK"), "TIFF", {}),
     (picture().convert("YCbCr"), "TIFF", {}), (picture().convert("P"), "GIF", {}),
     (picture(), "TIFF", {"compression": "tiff_lzw"}), (picture(), "TIFF", {"compression": "jpeg"})],
)  # fmt: skip
def test_colour_spaces_become_rgb(image: PIL.Image.Image, kind: str, options: dict[str, object]) -> None:
    (page,) = decode(encoded(image, kind, **options), BOUNDS)
    assert page[12, 4].min() > 200 and page[8, 20, 0] > 180 and page[8, 20, 1:].max() < 80


def test_lab_becomes_rgb() -> None:
    lab = PIL.Image.merge("LAB", [PIL.Image.new("L", (16, 8), level) for level in (255, 128, 128)])
    (page,) = decode(encoded(lab, "TIFF"), BOUNDS)
    assert page.min() > 250


def test_fax_pages_of_one_bit() -> None:
    image = PIL.Image.new("1", (32, 16), 1)
    image.paste(0, (0, 0, 8, 8))
    (page,) = decode(encoded(image, "TIFF", compression="group4"), BOUNDS)
    assert page[2, 2].tolist() == [0, 0, 0] and page[12, 20].tolist() == [255, 255, 255]


def tiff_of(sizes: list[tuple[int, int]], **options: object) -> bytes:
    first, *rest = [PIL.Image.new("L", size, 200) for size in sizes]
    return encoded(first, "TIFF", save_all=True, append_images=rest, **options)


def test_all_pages_of_a_tiff_are_read() -> None:
    pages = decode(tiff_of([(20, 10), (30, 10), (40, 10)]), BOUNDS)
    assert [page.shape for page in pages] == [(10, 20, 3), (10, 30, 3), (10, 40, 3)]


def test_too_many_pages() -> None:
    with pytest.raises(PayloadTooLarge, match="3 pages at most"):
        decode(tiff_of([(20, 10)] * 4), BOUNDS)


@pytest.mark.parametrize(
    ("text", "widths"), [("8-", [90, 100, 110]), ("9-,2", [30, 100, 110]), ("10", [110])]
)
def test_the_last_pages_of_a_long_tiff_are_read(text: str, widths: list[int]) -> None:
    """Three pages at most may be read, and they may stand anywhere."""
    long = tiff_of([(20 + 10 * page, 10) for page in range(10)])
    assert BOUNDS.max_pages == 3
    options = DocumentOptions(parse_ranges(text))
    with open_document([SourceFile(long)], BOUNDS, options) as document:
        assert [page.image.shape[1] for page in document] == widths


def test_an_open_range_of_too_many_pages_is_refused() -> None:
    long = SourceFile(tiff_of([(20, 10)] * 10))
    with pytest.raises(PayloadTooLarge, match="3 pages at most"):
        open_document([long], BOUNDS, DocumentOptions(parse_ranges("7-")))
    with pytest.raises(InvalidParameter, match="10 pages"):
        open_document([long], BOUNDS, DocumentOptions(parse_ranges("11-")))


def test_of_several_files_the_one_at_fault_is_told() -> None:
    good = SourceFile(ENCODED[Format.PNG], "good.png")
    with pytest.raises(UnsupportedFormat, match=r"^File 2 \(song\.mp3\): The bytes are not a document"):
        open_document([good, SourceFile(b"ID3", "song.mp3")], BOUNDS)
    with pytest.raises(MalformedRequest, match=r"^File 1: The document is empty"):
        open_document([SourceFile(b""), good], BOUNDS)
    cut = SourceFile(ENCODED[Format.PNG][:-30], "cut.png")
    with (
        open_document([good, cut], BOUNDS) as document,
        pytest.raises(UnreadableDocument, match=r"^File 2 \(cut\.png\): "),
    ):
        list(document)
    # Alone it needs no number.
    with pytest.raises(UnsupportedFormat, match=r"^The bytes are not"):
        open_document([SourceFile(b"ID3", "song.mp3")], BOUNDS)


def test_too_many_pixels_together() -> None:
    with pytest.raises(PayloadTooLarge, match="together"):
        decode(tiff_of([(200, 100)] * 3), replace(BOUNDS, max_document_pixels=59_999))
    assert len(decode(tiff_of([(200, 100)] * 3), BOUNDS)) == 3


def test_previews_in_a_tiff_are_no_pages() -> None:
    images = [PIL.Image.new("L", size, 200) for size in [(40, 20), (20, 10), (30, 10)]]
    images[1].encoderinfo = {"tiffinfo": {254: 1}}
    stream = io.BytesIO()
    images[0].save(stream, "TIFF", save_all=True, append_images=images[1:])
    assert [page.shape[1] for page in decode(stream.getvalue(), BOUNDS)] == [40, 30]


@pytest.mark.parametrize("kind", [Format.GIF, Format.WEBP, Format.PNG])
def test_the_first_frame_of_an_animation_is_read(kind: Format) -> None:
    data = encoded(picture(), kind.value, save_all=True, append_images=[PIL.Image.new("RGB", (24, 16))])
    (page,) = decode(data, BOUNDS)
    assert page[12, 4].min() > 200


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


@pytest.mark.parametrize("size", [(200, 101), (401, 10), (60_000, 60_000), (10_000, 10_000)])
def test_sizes_over_the_limit_are_refused_from_the_header(size: tuple[int, int]) -> None:
    with pytest.raises(PayloadTooLarge):
        decode(png_header(*size), BOUNDS)


def test_a_page_at_the_limit_is_read() -> None:
    assert decode(encoded(PIL.Image.new("L", (200, 100)), "PNG"), BOUNDS)[0].shape == (100, 200, 3)


@pytest.mark.parametrize("data", [png_header(0, 10), encoded(PIL.Image.new("L", (3, 50)), "PNG")])
def test_pages_without_room_for_text_are_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        decode(data, BOUNDS)


def test_no_bytes() -> None:
    with pytest.raises(MalformedRequest, match="empty"):
        decode(b"", BOUNDS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"hello", "not a document"), (b"\x00\x00\x00\x18ftypheic", "HEIF"),
     (b"RIFF\x00\x00\x00\x00WAVE", "not a document"), (b"<svg/>", "not a document")],
)  # fmt: skip
def test_other_formats_are_named_where_they_are_known(data: bytes, reason: str) -> None:
    with pytest.raises(UnsupportedFormat, match=reason):
        decode(data, BOUNDS)


@pytest.mark.parametrize("kind", [kind for kind in PICTURES if kind is not Format.GIF])
def test_a_file_cut_short_is_unreadable(kind: Format) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    data = encoded(PIL.Image.fromarray(noise), kind.value)
    with pytest.raises(UnreadableDocument), warnings.catch_warnings(action="ignore"):
        decode(data[: len(data) // 2], BOUNDS)


@pytest.mark.parametrize("kind", PICTURES)
@settings(max_examples=60, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=6)), max_size=6), cut=st.floats(0, 1)
)
def test_damaged_files_raise_input_errors_alone(
    kind: Format, edits: list[tuple[int, bytes]], cut: float
) -> None:
    data = bytearray(ENCODED[kind])
    for place, patch in edits:
        at = place % len(data)
        data[at : at + len(patch)] = patch
    if cut < 0.5:
        data = data[: int(len(data) * cut * 2)]
    with warnings.catch_warnings(action="ignore"):
        try:
            pages = decode(bytes(data), BOUNDS)
        except InputError:
            return
    assert all(page.ndim == 3 and page.dtype == np.uint8 for page in pages)
