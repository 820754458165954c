"""Real lines for training: labelled folders and CSV lists, cut as a detector would and written as shards.

Only the training rows of the known sets are ever read; everything else in them is evaluation.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deployments.grey import grey_of
from deployments.recognition.charset import normalise as canonical
from deployments.types import Kind
from training.labelled_lines import TRAINING_ROWS
from training.pictures import read_rgb
from training.synth.alphabet import CYRILLIC, normalise
from training.synth.lines import HEIGHT_PX, MAX_WIDTH_PX, LineSample
from training.synth.noise import elastic
from training.synth.shards import LINES_PER_SHARD, write_shard

logger = logging.getLogger(__name__)
Rng = np.random.Generator

UPPER_CASED = frozenset({"receipts_en"})
"""Sets transcribed in capitals whatever the paper says: only lines that look like capitals train."""

HISTORIC = frozenset({"lines_ru_historic"})
"""Sets in the old spelling: a Latin i among their Cyrillic letters stands for a letter that has gone."""

_KINDS = {"handwritten": Kind.HANDWRITTEN, "printed": Kind.PRINTED}


class LabelError(ValueError):
    """A label file that cannot be used, with the place of the fault."""


@dataclass(frozen=True, slots=True)
class RealLine:
    """A labelled line: ``box`` is x, y, width, height in pixels of the image, None for all of it."""

    image: Path
    box: tuple[float, float, float, float] | None
    text: str
    kind: Kind
    upper_cased: bool = False
    historic: bool = False

    @property
    def label(self) -> str | None:
        """The text to train on, or None when the line holds a sign that the charset has no symbol for.

        Dropping such signs would teach the reader to skip ink.
        """
        kept = normalise(self.text)
        latin_i_in_cyrillic = self.historic and bool(CYRILLIC & set(kept)) and "i" in kept
        return kept if kept and kept == canonical(self.text) and not latin_i_in_cyrillic else None


def training_lines(data: Path) -> Iterator[RealLine]:
    """Training lines of every known set under ``data``; a set that is not there is passed over."""
    for name, rows in TRAINING_ROWS.items():
        if rows and (data / name / "labels.jsonl").is_file():
            upper_cased, historic = name in UPPER_CASED, name in HISTORIC
            lines = folder_lines(data / name, rows)
            marked = (replace(line, upper_cased=upper_cased, historic=historic) for line in lines)
            yield from counted(marked, data / name)


def counted(lines: Iterable[RealLine], path: Path) -> Iterator[RealLine]:
    """All lines of a set; after the last one it is logged how many have no label to train on."""
    read = left_out = 0
    for line in lines:
        read, left_out = read + 1, left_out + (line.label is None)
        yield line
    if left_out:
        logger.info("%s: %d of %d lines left out: signs outside the charset, no text", path, left_out, read)


def folder_lines(folder: Path, rows: int | None = None) -> Iterator[RealLine]:
    """Lines of the first ``rows`` rows of a folder with ``labels.jsonl``: pages or crops.

    Raises :class:`LabelError` with the row's number for a row that is not as it must be.
    """
    file = folder / "labels.jsonl"
    for number, label in enumerate(islice(io.StringIO(_read_text(file)), rows), start=1):
        try:
            lines = list(_row_lines(folder, json.loads(label)))
        except (ValueError, KeyError, TypeError) as error:
            raise LabelError(f"{file}, line {number}: {error!r}") from error
        yield from lines


def _read_text(path: Path) -> str:
    """Text of a label file, its line ends as they are; raises LabelError where it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelError(f"{path}: not UTF-8 (in Excel, save it as CSV UTF-8): {error}") from error


def _row_lines(folder: Path, row: dict[str, Any]) -> Iterator[RealLine]:
    path = folder / row["image"]
    if not path.is_file():
        raise ValueError(f"no image {row['image']!r}")
    if "lines" not in row:
        yield RealLine(path, None, _text(row), _KINDS[row["kind"]])
        return
    for line in row["lines"]:
        x, y, width, height = line["bbox"]
        box = (x, y, width, height)
        if not all(isinstance(value, int | float) for value in box):
            raise ValueError(f"bbox {line['bbox']!r} is not four numbers")
        yield RealLine(path, box, _text(line), _KINDS[line["kind"]])


def _text(row: dict[str, Any]) -> str:
    text = row["text"]
    if not isinstance(text, str):
        raise ValueError(f"text {text!r} is not a string")
    return text


def csv_lines(path: Path, default_kind: Kind = Kind.HANDWRITTEN) -> Iterator[RealLine]:
    """Lines of a CSV with the columns ``File name,Text,Class``; images lie beside it.

    ``Class`` is ``handwritten``, ``printed`` or empty for ``default_kind``.
    Columns are separated by commas, semicolons or tabs.
    Raises :class:`LabelError` with the row's number for a missing column, image or unknown class.
    """
    text = _read_text(path)
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    missing = {"File name", "Text"} - set(reader.fieldnames)
    if missing:
        raise LabelError(f"{path}: no column {', '.join(sorted(missing))}")
    for number, row in _numbered(reader, path):
        name, kind = (row["File name"] or "").strip(), (row.get("Class") or "").strip().lower()
        if kind and kind not in _KINDS:
            raise LabelError(f"{path}, line {number}: class {kind!r} is neither handwritten nor printed")
        if not (path.parent / name).is_file():
            raise LabelError(f"{path}, line {number}: no image {name!r}")
        yield RealLine(path.parent / name, None, row["Text"] or "", _KINDS.get(kind, default_kind))


_OPEN_QUOTE = "a text over several lines, or a quote left open or standing within a text"


def _numbered(reader: csv.DictReader[str], path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows with the number of the line they end on; a quote left open would swallow those after it."""
    begins = reader.line_num + 1
    try:
        for row in reader:
            if any("\n" in value or "\r" in value for value in row.values() if isinstance(value, str)):
                raise LabelError(f"{path}, line {begins}: {_OPEN_QUOTE}")
            yield reader.line_num, dict(row)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise LabelError(f"{path}, line {begins}: {error}: {_OPEN_QUOTE}") from error


def looks_upper_case(crop: npt.NDArray[np.uint8]) -> bool:
    """Whether the letters of a grey crop are all of one height, as capitals and digits are.

    Small letters without ascenders reach about 70 % of a capital, and a line of them has many.
    """
    _, ink = cv2.threshold(crop, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    joined = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((3, 1), np.uint8))
    _, _, parts, _ = cv2.connectedComponentsWithStats(joined)
    heights = parts[1:, cv2.CC_STAT_HEIGHT]
    letters = heights[heights > 0.24 * crop.shape[0]]
    return letters.size > 0 and bool((letters > 0.85 * np.quantile(letters, 0.9)).mean() > 0.97)


@lru_cache(maxsize=2)
def _read_grey(path: Path) -> npt.NDArray[np.uint8]:
    image = read_rgb(path)
    if image is None:
        raise LabelError(f"{path}: not an image that can be read")
    return grey_of(image)


def cut(line: RealLine, text: str, rng: Rng | None = None) -> LineSample | None:
    """The line's crop scaled to 48 px height; ``rng`` moves the box's edges and the tone a little.

    None when the crop has no area or is far wider than any line.
    """
    page = _read_grey(line.image)
    x, y, width, height = line.box or (0.0, 0.0, float(page.shape[1]), float(page.shape[0]))
    left, top, right, bottom = x, y, x + width, y + height
    if rng is not None:
        left, right = left + rng.normal(0, 0.1) * height, right + rng.normal(0, 0.1) * height
        top, bottom = top - rng.uniform(-0.06, 0.12) * height, bottom + rng.uniform(-0.06, 0.12) * height
    columns = np.clip(np.rint([left, right]), 0, page.shape[1]).astype(int)
    rows = np.clip(np.rint([top, bottom]), 0, page.shape[0]).astype(int)
    crop = page[rows[0] : rows[1], columns[0] : columns[1]]
    if min(crop.shape) < 4:
        return None
    out_width = max(8, round(crop.shape[1] * HEIGHT_PX / crop.shape[0]))
    if out_width > MAX_WIDTH_PX:
        return None
    shrinks = crop.shape[0] > HEIGHT_PX
    scaled = cv2.resize(
        crop, (out_width, HEIGHT_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    if rng is not None:
        scaled = _retouch(scaled, line.kind, rng)
    return LineSample(scaled, text, line.kind, "ru" if CYRILLIC & set(text) else "en")


def _retouch(image: npt.NDArray[np.uint8], kind: Kind, rng: Rng) -> npt.NDArray[np.uint8]:
    """Another cut of the same line: small changes of slant, width and tone; handwriting is bent too."""
    height, width = image.shape
    lean, stretch = rng.normal(0, 0.08), float(np.exp(rng.normal(0, 0.06)))
    matrix = np.array([[stretch, lean, -lean * height / 2], [0, 1, 0]])
    size = (max(8, round(width * stretch)), height)
    image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if kind is Kind.HANDWRITTEN:
        image = elastic(image, rng, float(rng.uniform(9, 40)), 0.9, 0.9, cv2.BORDER_REPLICATE)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.9)))
    toned = image.astype(np.float32) * rng.uniform(0.75, 1.1) + rng.uniform(-10, 30)
    return np.asarray(np.clip(toned, 0, 255), np.uint8)


def write_real(lines: Iterable[RealLine], directory: Path, cuts: dict[Kind, int], seed: int) -> int:
    """Write every usable line as often as ``cuts`` says for its kind; return how many were written.

    The first cut is as labelled, the others are jittered. Lines too small or too wide to cut are logged.
    """
    directory.mkdir(parents=True, exist_ok=True)
    samples, shard, number = _cuts(lines, cuts, seed), 0, 0
    while group := list(islice(samples, LINES_PER_SHARD)):
        write_shard(directory, shard, group)
        shard, number = shard + 1, number + len(group)
    return number


def _cuts(lines: Iterable[RealLine], cuts: dict[Kind, int], seed: int) -> Iterator[LineSample]:
    misfits = 0
    for index, line in enumerate(lines):
        if not (text := line.label):
            continue
        if (plain := cut(line, text)) is None:
            misfits += 1
            continue
        if line.upper_cased and text.lower() != text and not looks_upper_case(plain.image):
            continue
        for number in range(cuts[line.kind]):
            rng = np.random.default_rng(np.random.SeedSequence([seed, index, number]))
            sample = cut(line, text, rng) if number else plain
            if sample is not None:
                yield sample
    if misfits:
        logger.info("%d lines left out: too small, or too wide for their height", misfits)
