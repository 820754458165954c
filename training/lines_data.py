"""Lines for training: folders of shards, mixed by weight, varied, and cut into batches of like width.

A source is a glob pattern of shard folders. Patterns are looked up again while training runs, so
lines that are still being rendered join in as they arrive.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from deployments.recognition.charset import Charset, normalise
from deployments.recognition.preprocess import Ink, LineFormat, prepare_line, stack
from training import form_rules, line_augment, paper_augment, uneven_light
from training.synth.lines import LineSample
from training.synth.shards import LineShards

# Opening shards reads every row, so it is done now and then, not for every pool.
REFRESH_LINES = 16_000


class NoLines(ValueError):
    """Sources hold no line, or none that fits the reader."""


@dataclass(frozen=True, slots=True)
class Source:
    """Shard folders that match ``pattern``, drawn with ``weight`` against the other sources."""

    pattern: str
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Source:
        """Source of ``PATTERN`` or ``PATTERN=WEIGHT``.

        Raises:
            ValueError: the weight is no positive number.
        """
        pattern, separator, weight = text.rpartition("=")
        if not separator:
            return cls(text)
        try:
            value = float(weight)
        except ValueError:
            value = 0.0
        if value <= 0:
            raise ValueError(f"source {text!r}: the weight must be a positive number")
        return cls(pattern, value)

    @classmethod
    def literal(cls, folder: Path, weight: float = 1.0) -> Source:
        """Source of one folder, whatever characters its name holds."""
        return cls(glob.escape(str(folder)), weight)

    def folders(self) -> list[Path]:
        """Folders that match and hold a shard by now, in a stable order."""
        paths = [Path(path) for path in sorted(glob.glob(self.pattern))]
        return [path for path in paths if _shard_count(path)]


@dataclass(frozen=True, slots=True)
class LineBatch:
    """``images`` ``(N, 1, H, W)`` float32 ink, ``texts`` N normalised strings."""

    images: Tensor
    texts: list[str]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How lines become batches.

    ``columns``: pixels of width in a batch, so that batches cost alike whatever their lines'
    length. ``pool``: lines that are drawn, then sorted by width, at once. The first
    ``short_first`` lines have at most ``short_characters``: alignments are found sooner on them.
    """

    columns: int = 16_000
    max_lines: int = 64
    pool: int = 768
    short_first: int = 0
    short_characters: int = 16


class _Open:
    """A source with its shards open."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._lines: LineShards | None = None
        self._shards = 0

    def __len__(self) -> int:
        return 0 if self._lines is None else len(self._lines)

    def refresh(self) -> None:
        """Open the shards again if there are more than before."""
        folders = self.source.folders()
        shards = sum(_shard_count(folder) for folder in folders)
        if shards != self._shards:
            self._lines = LineShards(*folders)
            self._shards = shards

    def draw(self, rng: np.random.Generator) -> LineSample:
        assert self._lines is not None
        return self._lines[int(rng.integers(len(self._lines)))]


class LineStream(IterableDataset[LineBatch]):
    """An endless stream of batches.

    Args:
        sources: where lines come from.
        charset: lines it does not cover are left out.
        line_format: how the model wants its lines.
        plan: sizes of batches.
        seed: two streams of one seed over the same shards give the same batches.
        steps_per_px: time steps of a CTC head per pixel of width; lines with more characters than
            steps are left out. 0 for models without such a bound.

    Raises:
        NoLines: no source has a line; while iterating, none of the lines drawn at once fits.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        charset: Charset,
        line_format: LineFormat,
        plan: BatchPlan,
        seed: int = 0,
        steps_per_px: float = 0.25,
    ) -> None:
        self._sources = [_Open(source) for source in sources]
        self._charset = charset
        self._format = line_format
        self._plan = plan
        self._seed = seed
        self._steps_per_px = steps_per_px
        self._refresh()

    def __iter__(self) -> Iterator[LineBatch]:
        worker = get_worker_info()
        rng = np.random.default_rng([self._seed, worker.id if worker else 0])
        drawn = refreshed = 0
        while True:
            if drawn - refreshed >= REFRESH_LINES:
                self._refresh()
                refreshed = drawn
            pool = self._draw_pool(rng, short=drawn < self._plan.short_first)
            drawn += len(pool)
            batches = list(_cut(pool, self._plan))
            for i in rng.permutation(len(batches)):
                inks, texts = zip(*batches[i], strict=True)
                yield LineBatch(torch.from_numpy(stack(list(inks))), list(texts))

    def _refresh(self) -> None:
        for source in self._sources:
            source.refresh()
        if not any(len(source) for source in self._sources):
            raise NoLines(f"no lines at {self._patterns()}")

    def _patterns(self) -> str:
        return ", ".join(source.source.pattern for source in self._sources)

    def _draw_pool(self, rng: np.random.Generator, short: bool) -> list[tuple[Ink, str]]:
        filled = [source for source in self._sources if len(source)]
        weights = np.array([source.source.weight for source in filled])
        choices = rng.choice(len(filled), size=self._plan.pool, p=weights / weights.sum())
        pool: list[tuple[Ink, str]] = []
        unfit: Counter[str] = Counter()
        for choice in choices:
            drawn = filled[choice].draw(rng)
            for _ in range(20 if short else 0):
                if len(drawn.text) <= self._plan.short_characters:
                    break
                drawn = filled[choice].draw(rng)
            line = self._prepared(drawn, rng)
            if isinstance(line, str):
                unfit[line] += 1
            else:
                pool.append(line)
        # Drawing on could take for ever.
        if not pool:
            faults = ", ".join(f"{count} {fault}" for fault, count in unfit.most_common())
            raise NoLines(f"0 of {len(choices)} lines fit: {faults} (at {self._patterns()})")
        return pool

    def _prepared(self, drawn: LineSample, rng: np.random.Generator) -> tuple[Ink, str] | str:
        """A line as the reader takes it, or what keeps it from fitting."""
        text = normalise(drawn.text)
        if not text:
            return "have no text"
        if not self._charset.covers(text):
            return "have symbols outside the charset"
        image = line_augment.apply(_in_light(_on_paper(drawn, rng), rng), line_augment.sample(rng))
        ink = prepare_line(image, self._format)
        if self._steps_per_px and steps_needed(text) > ink.shape[1] * self._steps_per_px:
            return "have more characters than their width has time steps"
        return ink, text


def _on_paper(drawn: LineSample, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The line on a form, in an exercise book, or as it is."""
    if (rules := form_rules.sample(rng, drawn.kind)) is not None:
        return form_rules.apply(drawn.image, rules)
    sheet = paper_augment.sample(rng, drawn.kind)
    return drawn.image if sheet is None else paper_augment.apply(drawn.image, sheet)


def _in_light(grey: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    light = uneven_light.sample(rng)
    return grey if light is None else uneven_light.apply(grey, light)


def steps_needed(text: str) -> int:
    """Time steps that CTC needs for a text: one a character, and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def _shard_count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("lines-*.jsonl"))


def _cut(pool: list[tuple[Ink, str]], plan: BatchPlan) -> Iterator[list[tuple[Ink, str]]]:
    batch: list[tuple[Ink, str]] = []
    for line in sorted(pool, key=lambda line: line[0].shape[1]):
        width = line[0].shape[1]
        if batch and (len(batch) == plan.max_lines or (len(batch) + 1) * width > plan.columns):
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch
