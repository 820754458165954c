"""Pages with labelled lines, from our own label files and from sets in YOLO format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import yaml

from deployments.geometry import quad_bounds, quad_from_box
from deployments.types import Image
from training.pictures import read_rgb

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"}
Quads = npt.NDArray[np.float32]
PageT = TypeVar("PageT")
Split = Literal["train", "val"]


# By how much of the image annotation tools let a box reach beyond its edge.
_BEYOND = 0.01


class DataError(Exception):
    """A data set cannot be read; the message names the file and the row."""


@dataclass(frozen=True, slots=True)
class LabelledPage:
    """A page on disk and its lines.

    ``quads`` is ``float32 (N, 4, 2)`` in page pixels; ``is_exact`` says whether they follow the
    text or are merely boxes around it. ``texts`` are theirs, or none at all.
    """

    image: Path
    quads: Quads
    is_exact: bool
    texts: tuple[str, ...] = ()

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """Bounds of the lines, ``float32 (N, 4)``: x, y, width, height."""
        return np.array([quad_bounds(quad) for quad in self.quads], np.float32).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class PageSource:
    """A data set: its first ``rows`` pages, its last if negative, all if None; ``weight`` times each."""

    path: Path
    rows: int | None = None
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> PageSource:
        """Read ``PATH[:ROWS][*WEIGHT]``, as given on the command line."""
        path, _, weight = text.partition("*")
        path, _, rows = path.partition(":")
        try:
            return cls(Path(path), int(rows) if rows else None, float(weight) if weight else 1.0)
        except ValueError as error:
            raise DataError(f"{text!r} is not PATH[:ROWS][*WEIGHT]") from error

    def pages(self, split: Split = "train") -> list[LabelledPage]:
        """Read the pages: a folder with ``labels.jsonl``, or the ``.yaml`` of a set in YOLO format.

        ``split``: the part of a set in YOLO format; ``train`` also where its yaml names no ``val``.
        """
        is_yolo = self.path.suffix in {".yaml", ".yml"}
        pages = self.select(read_yolo(self.path, split) if is_yolo else read_labels(self.path))
        if not pages:
            raise DataError(f"{self.path}: holds no pages")
        return pages

    def select(self, pages: Iterable[PageT]) -> list[PageT]:
        """The first ``rows`` of some pages, the last if negative, all if None."""
        if self.rows is not None and self.rows < 0:
            return list(pages)[self.rows :]
        return list(islice(pages, self.rows))


def read_labels(folder: Path) -> Iterator[LabelledPage]:
    """Pages of a folder with ``labels.jsonl``: one page a row, one ``bbox`` or ``polygon`` a line.

    Lines without height or width are left out.
    """
    labels = folder / "labels.jsonl"
    if not labels.is_file():
        raise DataError(f"{labels}: no such file")
    with labels.open(encoding="utf-8-sig") as file:
        for number, row in enumerate(file, start=1):
            try:
                page = json.loads(row)
                found = [(line, _line_quad(line)) for line in page["lines"]]
                image = folder / page["image"]
                if not image.is_file():
                    raise ValueError(f"no image {page['image']!r}")
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{labels}:{number}: not a labelled page: {error!r}") from error
            lines = [line for line, quad in found if _has_size(quad)]
            is_exact = bool(lines) and all(line.get("polygon") for line in lines)
            texts = tuple(str(line.get("text", "")) for line in lines)
            yield LabelledPage(image, _stack([quad for _, quad in found]), is_exact, texts)


def read_yolo(description: Path, split: Split = "train") -> Iterator[LabelledPage]:
    """Pages of one split of a set in YOLO format, as annotation tools export it.

    ``description`` is the yaml with ``path`` and the splits, each a folder, a text file that lists
    images, or several of these; the label of ``images/a.jpg`` is ``labels/a.txt`` with rows
    ``class x y w h`` or ``class x1 y1 ... xn yn`` in fractions of the image. Every class counts as a
    line; boxes without height or width are left out, and an image without a label has no lines.
    A yaml without ``val`` gives ``train``.
    """
    settings = yaml.safe_load(description.read_text(encoding="utf-8"))
    named = settings if isinstance(settings, dict) else {}
    places = named.get(split) or named.get("train")
    if not places:
        raise DataError(f"{description}: names no {split!r} folder")
    root = description.parent / str(named.get("path") or ".")
    images: list[Path] = []
    for place in map(str, places if isinstance(places, list) else [places]):
        # Roboflow writes ../train/images for a folder beside the description.
        found = root / place if (root / place).exists() else root / place.removeprefix("../")
        images += _yolo_images(found)
    if images and not any(_yolo_label(image).is_file() for image in images):
        raise DataError(f"{description}: no image has a label, the first not in {_yolo_label(images[0])}")
    yield from map(_yolo_page, images)


def _yolo_images(place: Path) -> list[Path]:
    """Images of a folder, or those that a text file names by paths from where it lies."""
    if place.is_dir():
        return sorted(path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if place.suffix != ".txt" or not place.is_file():
        raise DataError(f"{place}: no such folder or list of images")
    images = []
    for name in filter(None, map(str.strip, place.read_text(encoding="utf-8").splitlines())):
        image = place.parent / name
        # CVAT writes the paths as from a folder data above the one that it exports.
        images.append(image if image.is_file() else place.parent / name.removeprefix("data/"))
    return images


def load_image(path: Path) -> Image:
    """Decode a page as RGB ``uint8 (H, W, 3)``."""
    image = read_rgb(path)
    if image is None:
        raise DataError(f"{path}: not a readable image")
    return image


def _line_quad(line: dict[str, Any]) -> npt.NDArray[np.float32]:
    if line.get("polygon"):
        quad = np.array(line["polygon"], np.float32)
        if quad.shape != (4, 2):
            raise ValueError(f"polygon of {len(quad)} points")
        return quad
    x, y, width, height = line["bbox"]
    return quad_from_box((x, y, width, height))


def _yolo_label(image: Path) -> Path:
    """Where the label of an image lies: in ``labels`` in place of the last ``images``, or beside it."""
    parts = list(image.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def _yolo_page(image: Path) -> LabelledPage:
    label = _yolo_label(image)
    height, width = load_image(image).shape[:2]
    quads = []
    rows = label.read_text(encoding="utf-8").splitlines() if label.is_file() else []
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        try:
            quads.append(_yolo_quad([float(value) for value in row.split()[1:]], width, height))
        except ValueError as error:
            raise DataError(f"{label}:{number}: {error}") from error
    return LabelledPage(image, _stack(quads), is_exact=False)


def _yolo_quad(values: list[float], width: int, height: int) -> npt.NDArray[np.float32]:
    # NaN compares with nothing.
    if not all(-_BEYOND <= value <= 1 + _BEYOND for value in values):
        raise ValueError("coordinates are fractions of the image, from 0 to 1")
    if len(values) == 4:
        x, y, w, h = values
        return quad_from_box(((x - w / 2) * width, (y - h / 2) * height, w * width, h * height))
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"{len(values)} coordinates: a box has 4, a polygon an even number from 6")
    points = np.array(values, np.float32).reshape(-1, 2) * np.array([width, height], np.float32)
    return quad_from_box(quad_bounds(points))


def _has_size(quad: npt.NDArray[np.float32]) -> bool:
    """Whether a quad has a height and a width, which what a stray click left has not."""
    return bool((quad[3] != quad[0]).any() and (quad[1] != quad[0]).any())


def _stack(quads: list[npt.NDArray[np.float32]]) -> Quads:
    """The quads that have a size, one array."""
    kept = [quad for quad in quads if _has_size(quad)]
    return np.stack(kept) if kept else np.zeros((0, 4, 2), np.float32)
