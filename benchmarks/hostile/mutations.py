"""Valid files -> damaged ones, reproducible from a seed: flips, cuts, splices, and lying fields."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import numpy as np

Mutate = Callable[[bytearray, np.random.Generator, bytes], bytearray]

# Where lengths and counts overflow, turn negative, or are off by one.
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEAD_BYTES = 512
_NUMBER = re.compile(rb"\d+")


def mutants(seeds: Mapping[str, bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged files with the names of what they were; the i-th depends on ``seed`` and i alone."""
    names, files = list(seeds), list(seeds.values())
    for index in range(count):
        rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
        which = index % len(files)
        data = bytearray(files[which])
        for _ in range(int(rng.integers(1, 4))):
            mutate = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
            data = mutate(data, rng, files[int(rng.integers(len(files)))])
            if not data:
                break
        yield names[which], bytes(data)


def flip_bits(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Up to 32 bits anywhere."""
    for at in rng.integers(0, len(data), int(rng.integers(1, 33))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def cut_short(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """The beginning alone."""
    return data[: int(rng.integers(0, len(data)))]


def drop_block(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """A piece out of the middle."""
    start, end = _span(len(data), rng)
    return data[:start] + data[end:]


def repeat_block(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """A piece several times over."""
    start, end = _span(len(data), rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 5)) + data[end:]


def splice(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """The head of this file, the tail of another."""
    return data[: int(rng.integers(len(data)))] + other[int(rng.integers(len(other))) :]


def lie_in_head(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """A field of the header gets a value at an edge."""
    width = int(rng.choice([1, 2, 4]))
    at = int(rng.integers(0, max(1, min(len(data), _HEAD_BYTES) - width)))
    value = int(rng.choice(_EDGES)) & (2 ** (8 * width) - 1)
    data[at : at + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")
    return data


def lie_in_numbers(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """A number that is written out, as in a PDF, becomes another."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return flip_bits(data, rng, other)
    number = found[int(rng.integers(len(found)))]
    edge = str(int(rng.choice(_EDGES)) - int(rng.integers(2))).encode()
    return data[: number.start()] + edge + data[number.end() :]


def lie_in_png(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """A PNG's size, depth or colour type, with a checksum that is right."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        return lie_in_head(data, rng, other)
    if rng.random() < 0.7:
        at = int(rng.choice([16, 20]))
        data[at : at + 4] = struct.pack(">I", int(rng.choice(_EDGES)))
    else:
        data[int(rng.integers(24, 29))] = int(rng.integers(0, 17))
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return data


def lie_in_tiff(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """A directory entry's tag, type, count or value."""
    if bytes(data[:2]) not in (b"II", b"MM") or len(data) < 8:
        return lie_in_head(data, rng, other)
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    directory = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[directory : directory + 2], order)
    entry = directory + 2 + 12 * int(rng.integers(max(1, min(entries, 40))))
    offset, width = ((0, 2), (2, 2), (4, 4), (8, 4))[int(rng.integers(4))]
    if entry + 12 > len(data):
        return lie_in_head(data, rng, other)
    value = int(rng.choice(_EDGES)) & (2 ** (8 * width) - 1)
    data[entry + offset : entry + offset + width] = value.to_bytes(width, order)
    return data


MUTATIONS: tuple[Mutate, ...] = (
    flip_bits,
    cut_short,
    drop_block,
    repeat_block,
    splice,
    lie_in_head,
    lie_in_numbers,
    lie_in_png,
    lie_in_tiff,
)


def _span(size: int, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(size))
    return start, min(size, start + 1 + int(rng.integers(min(size, 4096))))
