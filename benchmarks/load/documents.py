"""Documents of the traffic model, drawn for the fake engines, with the text that must come back."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import PIL.Image

from benchmarks.load.traffic import KINDS, Arrival
from deployments.fakes import BITS, draw_page
from deployments.types import Kind


@dataclass(frozen=True, slots=True)
class Document:
    """A file to be sent, the texts of its lines from top to bottom, and their kind."""

    body: bytes
    texts: tuple[str, ...]
    kind: Kind


def draw(arrival: Arrival, seed: int) -> Document:
    """The document of an arrival as PNG; the same for the same number and seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1, arrival.number]))
    look = KINDS[arrival.kind]
    ink = Kind.HANDWRITTEN if look.handwritten else Kind.PRINTED
    count = int(rng.integers(look.lines[0], look.lines[1] + 1))
    values = [int(value) for value in rng.integers(0, 2**BITS, count)]
    width_px, height_px = look.size_px
    page = draw_page(values, [ink] * count, width_px)
    if (missing := height_px - len(page)) > 0:
        page = np.pad(page, ((0, missing), (0, 0), (0, 0)), constant_values=255)
    stream = io.BytesIO()
    PIL.Image.fromarray(page).save(stream, "PNG", compress_level=1)
    return Document(stream.getvalue(), tuple(str(value) for value in values), ink)
