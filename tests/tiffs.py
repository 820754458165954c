"""TIFF files of varieties that Pillow does not write."""

from __future__ import annotations

import struct
from collections.abc import Sequence

SIDE = 16


def tiff_of(
    bits: Sequence[int], photometric: int, planes: Sequence[bytes], order: str = "<", **tags: int
) -> bytes:
    """An uncompressed square of ``SIDE`` pixels; ``planes`` are its strips.

    Args:
        bits: of every channel.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 5 CMYK.
        tags: ``planar`` (284), ``extra`` (338), ``sample_format`` (339).
    """
    count = len(bits)
    entries: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [SIDE]), 257: (4, [SIDE]), 258: (3, bits), 259: (3, [1]), 262: (3, [photometric]),
        273: (4, [0] * len(planes)), 277: (3, [count]), 278: (4, [SIDE]), 279: (4, [len(p) for p in planes]),
    }  # fmt: skip
    for name, tag, values in (("planar", 284, 1), ("extra", 338, 1), ("sample_format", 339, count)):
        if name in tags:
            entries[tag] = (3, [tags[name]] * values)

    def packed(kind: int, values: Sequence[int]) -> bytes:
        return struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)

    after = 8 + 2 + 12 * len(entries) + 4
    pooled = sum(len(packed(*entry)) for entry in entries.values() if len(packed(*entry)) > 4)
    starts = [after + pooled + sum(len(p) for p in planes[:index]) for index in range(len(planes))]
    entries[273] = (4, starts)
    directory, pool = struct.pack(f"{order}H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        content = packed(kind, values)
        directory += struct.pack(f"{order}HHI", tag, kind, len(values))
        if len(content) > 4:
            directory += struct.pack(f"{order}I", after + len(pool))
            pool += content
        else:
            directory += content.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + directory + bytes(4) + pool + b"".join(planes)
