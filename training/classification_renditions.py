"""Renditions on disk: augmented lines made once, learnt from by both classifiers many times.

``pixels.npy`` holds the uint8 grey pixels of all renditions one after another, row-major;
``index.npy`` one row a rendition: offset, height, width, index of the kind in ``scores.KINDS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset
from tqdm import trange

from deployments.classification.preprocess import Box, InputSpec, fit_grey
from deployments.grey import Grey
from training.classification_augment import augment
from training.classification_data import Mixture, SourceLine

_PIXELS, _INDEX = "pixels.npy", "index.npy"


def render(lines: Sequence[SourceLine], number: int, seed: int, directory: Path) -> None:
    """Write ``number`` renditions; the content of each depends on ``seed`` and its number alone."""
    mixture = Mixture(lines)
    pieces, rows, offset = [], [], 0
    for i in trange(number, unit="line"):
        rng = np.random.default_rng(np.random.SeedSequence([seed, i]))
        line, kind = mixture.draw(rng)
        grey = augment(line.grey, line.margin_px, mixture.draw(rng)[0].grey, rng)
        pieces.append(grey.reshape(-1))
        rows.append((offset, *grey.shape, kind))
        offset += grey.size
    directory.mkdir(parents=True, exist_ok=True)
    np.save(directory / _PIXELS, np.concatenate(pieces))
    # Written last: a folder with an index is complete.
    np.save(directory / _INDEX, np.array(rows, dtype=np.int64))


class RenditionSet(Dataset[tuple[Box, int]]):
    """Renditions fitted into a network's box, over and over in a new order each time.

    Item ``i`` depends on the seed and ``i`` alone. Raises ``FileNotFoundError`` for a folder
    without renditions.
    """

    def __init__(self, directory: Path, spec: InputSpec, seed: int) -> None:
        if not (directory / _INDEX).is_file():
            raise FileNotFoundError(
                f"no renditions in {directory}: run `python -m training.classification render`"
            )
        self._pixels = np.load(directory / _PIXELS, mmap_mode="r")
        self._index = np.load(directory / _INDEX)
        self._spec = spec
        self._seed = seed
        self._order = (-1, np.arange(0))

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> tuple[Box, int]:
        round_, place = divmod(index, len(self))
        if self._order[0] != round_:
            rng = np.random.default_rng(np.random.SeedSequence([self._seed, round_]))
            self._order = (round_, rng.permutation(len(self)))
        grey, kind = self.rendition(int(self._order[1][place]))
        return fit_grey(grey, self._spec), kind

    def rendition(self, number: int) -> tuple[Grey, int]:
        """The grey line ``uint8 (h, w)`` and the index of its kind."""
        offset, height, width, kind = self._index[number].tolist()
        return np.array(self._pixels[offset : offset + height * width]).reshape(height, width), kind
