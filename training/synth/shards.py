"""Lines on disk: flat pixels beside one JSON row a line, written by many workers, read by mapping.

``lines-00000.npy`` holds the uint8 grey pixels of all lines one after another, row-major;
``lines-00000.jsonl`` one row a line: offset, height, width, text, kind, language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from deployments.types import Kind
from training.synth.corpora import Language
from training.synth.fonts import Split
from training.synth.lines import LineSample, apply
from training.synth.sampler import shared_sampler

LINES_PER_SHARD = 2000
_JOB = "job.json"
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class LineJob:
    """What :func:`write_lines` makes; the content of line ``i`` depends on ``seed`` and ``i`` alone."""

    number: int
    seed: int
    fonts: Path
    texts: Path
    handwritten_share: float = 0.35
    tracks: Path | None = None
    split: Split = "train"


def line_at(job: LineJob, index: int) -> LineSample:
    """Line ``index`` of a job. A recipe that cannot be cooked (too wide) is drawn anew."""
    sampler = shared_sampler(job.fonts, job.texts, job.handwritten_share, job.tracks, job.split)
    rng = np.random.default_rng(np.random.SeedSequence([job.seed, index]))
    for attempt in range(_ATTEMPTS):
        try:
            return apply(sampler.sample(rng))
        except ValueError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def write_lines(job: LineJob, directory: Path, workers: int = 1) -> int:
    """Write the job's lines as shards under ``directory``; return how many there are.

    Shards that are already there are kept, so an interrupted run goes on where it stopped.

    Raises:
        FileExistsError: the directory holds lines of another job.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _claim(job, directory)
    starts = range(0, job.number, LINES_PER_SHARD)
    todo = [
        (job, start, directory)
        for start in starts
        if not _paths(directory, start // LINES_PER_SHARD)[1].exists()
    ]
    # OpenCV's own threads only fight over the cores that the workers already fill.
    with ProcessPoolExecutor(workers, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for _ in tqdm(pool.map(_write_job_shard, todo), total=len(todo), unit="shard"):
            pass
    return job.number


def _claim(job: LineJob, directory: Path) -> None:
    """Leave a note of the job, or compare it with the one that is there: only workers may differ."""
    note, wanted = directory / _JOB, json.dumps(asdict(job), default=str, indent=1) + "\n"
    if not note.exists():
        note.write_text(wanted, encoding="utf-8")
    elif note.read_text(encoding="utf-8") != wanted:
        raise FileExistsError(f"{directory} holds lines of another job (see {_JOB}): name another folder")


def _write_job_shard(task: tuple[LineJob, int, Path]) -> None:
    job, start, directory = task
    samples = (line_at(job, index) for index in range(start, min(start + LINES_PER_SHARD, job.number)))
    write_shard(directory, start // LINES_PER_SHARD, samples)


def _paths(directory: Path, number: int) -> tuple[Path, Path]:
    return directory / f"lines-{number:05}.npy", directory / f"lines-{number:05}.jsonl"


def write_shard(directory: Path, number: int, samples: Iterable[LineSample]) -> None:
    """One shard; the rows appear last, under their final name, so readers never see half a shard."""
    pixels_path, rows_path = _paths(directory, number)
    pieces, rows, offset = [], [], 0
    for sample in samples:
        height, width = sample.image.shape
        row = {"offset": offset, "height": height, "width": width, "text": sample.text}
        rows.append(
            json.dumps(row | {"kind": sample.kind.value, "language": sample.language}, ensure_ascii=False)
        )
        pieces.append(np.ascontiguousarray(sample.image).reshape(-1))
        offset += height * width
    np.save(pixels_path, np.concatenate(pieces) if pieces else np.zeros(0, np.uint8))
    partial = rows_path.with_suffix(".partial")
    partial.write_text("\n".join(rows), encoding="utf-8")
    partial.replace(rows_path)


@dataclass(frozen=True, slots=True)
class _Row:
    shard: int
    offset: int
    height: int
    width: int
    text: str
    kind: Kind
    language: Language


class LineShards:
    """All lines of one or more shard directories, memory-mapped, in a stable order.

    Raises ``FileNotFoundError`` when a directory holds no shard.
    """

    def __init__(self, *directories: Path) -> None:
        self._pixels: list[npt.NDArray[np.uint8]] = []
        self._rows: list[_Row] = []
        for directory in directories:
            found = sorted(directory.glob("lines-*.jsonl"))
            if not found:
                raise FileNotFoundError(f"no line shards in {directory}")
            for path in found:
                self._rows.extend(_read_rows(path, len(self._pixels)))
                self._pixels.append(np.load(path.with_suffix(".npy"), mmap_mode="r"))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> LineSample:
        row = self._rows[index]
        end = row.offset + row.height * row.width
        image = self._pixels[row.shard][row.offset : end].reshape(row.height, row.width)
        return LineSample(image, row.text, row.kind, row.language)

    @property
    def widths(self) -> Sequence[int]:
        """Width of every line in pixels: what batching by width needs, without touching pixels."""
        return [row.width for row in self._rows]

    @property
    def texts(self) -> Sequence[str]:
        return [row.text for row in self._rows]


def _read_rows(path: Path, shard: int) -> Iterator[_Row]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            row["kind"] = Kind(row["kind"])
            yield _Row(shard=shard, **row)
