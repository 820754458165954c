"""Files that are hostile by design: bombs, lies about sizes, loops, and what looks like a document."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from functools import partial

import pikepdf
import PIL.Image

from benchmarks.hostile.seeds import encoded, pdf_of, seed_files

# They take a decoder or the stages for many seconds, until a limit ends it.
SLOW = frozenset({"pdf whose forms nest", "pdf that paints for ever", "png at the limit of pixels"})


def curated_files() -> Mapping[str, bytes]:
    """Files by what is wrong with them."""
    return {**_bombs(), **_sizes(), **_pdf_structures(), **_tiff_structures(), **_beginnings()}


def png_of(width_px: int, height_px: int, depth: int = 1, colour: int = 0, rows: bytes = b"") -> bytes:
    """A PNG whose header says what it is told to; without ``rows``, blank rows of that size."""
    stride = 1 + (width_px * depth * {0: 1, 2: 3, 6: 4}[colour] + 7) // 8
    data = rows or _deflated_zeros(stride * height_px)
    head = struct.pack(">IIBBBBB", width_px, height_px, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _deflated_zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    parts = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, packer.compress(bytes(size % len(block))), packer.flush()])


def _bombs() -> dict[str, bytes]:
    spaces = b" " * 2**20
    return {
        "png bomb, 900 MP in its header": png_of(30_000, 30_000),
        "png bomb, more rows than it says": png_of(100, 100, rows=_deflated_zeros(2**27)),
        "png bomb in its text": _png_with_text(_deflated_zeros(2**26)),
        "png at the limit of pixels": png_of(7700, 7700),
        "tiff bomb, deflated": _tiff_bomb(),
        "gif bomb, screen of 65535 x 65535": _gif(65535, 65535),
        "pdf bomb, stream of 256 MiB": _pdf_with_stream(_deflated_zeros(2**28)),
        "pdf bomb, stream in a stream": _pdf_with_stream(zlib.compress(_deflated_zeros(2**27)), filters=2),
        "pdf that paints for ever": pdf_of((b"0 0 m 240 120 l S " * 40 + spaces[:100]) * 2000),
        "pdf whose forms nest": _pdf_of_nested_forms(),
    }


def _png_with_text(packed: bytes) -> bytes:
    png = seed_files()["png"]
    return png[:33] + _chunk(b"zTXt", b"Comment\0\0" + packed) + png[33:]


def _tiff_bomb() -> bytes:
    return encoded(PIL.Image.new("1", (30_000, 20_000)), "TIFF", compression="tiff_adobe_deflate")


def _gif(width_px: int, height_px: int) -> bytes:
    gif = bytearray(seed_files()["gif"])
    gif[6:10] = struct.pack("<HH", width_px, height_px)
    return bytes(gif)


def _pdf_with_stream(data: bytes, filters: int = 1) -> bytes:
    with pikepdf.Pdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(240, 120))
        flate = pikepdf.Name.FlateDecode
        page.Contents = pikepdf.Stream(pdf, data, Filter=pikepdf.Array([flate] * filters))
        stream = io.BytesIO()
        pdf.save(stream, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    return stream.getvalue()


def _pdf_of_nested_forms(levels: int = 12, fanout: int = 8) -> bytes:
    """Forms that each draw the next eight times: 8 to the 12th drawings in a few hundred bytes."""
    with pikepdf.Pdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(240, 120))
        inner = pdf.make_stream(b"0 0 10 10 re f")
        for _ in range(levels):
            outer = pdf.make_stream(b"/F Do " * fanout)
            for form, resources in ((inner, None), (outer, pikepdf.Dictionary(F=inner))):
                form.Type, form.Subtype, form.BBox = pikepdf.Name.XObject, pikepdf.Name.Form, [0, 0, 99, 99]
                if resources is not None:
                    form.Resources = pikepdf.Dictionary(XObject=resources)
            inner = outer
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(F=inner))
        page.Contents = pdf.make_stream(b"/F Do")
        stream = io.BytesIO()
        pdf.save(stream)
    return stream.getvalue()


def _sizes() -> dict[str, bytes]:
    jpeg = bytearray(seed_files()["jpeg"])
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    bmp = bytearray(seed_files()["bmp"])
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, -(2**31))
    return {
        "jpeg of 65500 x 65500": bytes(jpeg),
        "bmp of -2147483648 rows": bytes(bmp),
        "png of no width": png_of(0, 10),
        "png of 2147483647 x 1": png_of(2**31 - 1, 1, rows=b"x"),
        "png of 1 x 1": png_of(1, 1),
        "png of 20000 x 9": png_of(20_000, 9),
        "pdf page of 14400 x 14400 pt": pdf_of(b"", (14_400, 14_400)),
        "pdf page of no size": pdf_of(b"", (0, 0)),
        "pdf page of a hair's breadth": pdf_of(b"", (0.001, 4000)),
    }


def _pdf_structures() -> dict[str, bytes]:
    text = seed_files()["pdf text"]
    loop = text.replace(b"/Kids [", b"/Kids [ 2 0 R 1 0 R ", 1)
    return {
        "pdf without pages": pdf_of(b"", pages=0),
        "pdf behind a password": pdf_of(b"", encryption=pikepdf.Encryption(owner="o", user="u")),
        "pdf of 501 pages": pdf_of(b"", pages=501),
        "pdf whose page tree is a loop": loop,
        "pdf that says it has 2147483647 pages": text.replace(b"/Count 1", b"/Count 2147483647"),
        "pdf of nested arrays": b"%PDF-1.7\n1 0 obj\n" + b"[" * 200_000 + b"\ntrailer <</Root 1 0 R>>",
        "pdf without an end": text[: len(text) // 2],
        "pdf with a script": _pdf_with_script(),
    }


def _pdf_with_script() -> bytes:
    with pikepdf.Pdf.open(io.BytesIO(pdf_of(b""))) as pdf:
        pdf.Root.OpenAction = pikepdf.Dictionary(
            S=pikepdf.Name.JavaScript, JS="app.launchURL('http://127.0.0.1:9/')"
        )
        stream = io.BytesIO()
        pdf.save(stream)
    return stream.getvalue()


def _tiff_structures() -> dict[str, bytes]:
    entry = partial(struct.pack, "<HHII")
    directory = struct.pack("<H", 2) + entry(256, 3, 1, 100) + entry(257, 3, 1, 100)
    loop = b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8)
    tags = struct.pack("<H", 1) + entry(270, 2, 2**31, 8) + struct.pack("<I", 0)
    chain = b"II*\0" + struct.pack("<I", 8)
    for _ in range(20_000):
        chain += struct.pack("<H", 0) + struct.pack("<I", len(chain) + 6)
    return {
        "tiff whose directories are a loop": loop,
        "tiff with a tag of 2 GiB": b"II*\0" + struct.pack("<I", 8) + tags,
        "tiff of 20000 empty directories": chain,
    }


def _beginnings() -> dict[str, bytes]:
    seeds = seed_files()
    return {
        **{f"{name}, first 24 bytes": data[:24] for name, data in seeds.items()},
        **{f"{name}, first half": data[: len(data) // 2] for name, data in seeds.items()},
        "one byte": b"\xff",
        "a web page": b"<!doctype html><script>alert(1)</script>",
        "a zip": b"PK\x03\x04" + bytes(100),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
        "two documents in one": seeds["png"] + seeds["pdf text"],
    }
