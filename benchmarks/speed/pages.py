"""The pages that every system reads: labelled sets where there are any, else a few of our own.

Of the labelled sets only rows are taken that never trained nor tuned a model. The pages beside
this file, for any other machine, are of those that ``python -m training.synth pages --number 6 --seed
2026`` draws, saved as grey JPEG of quality 35.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.labelled_sets import find_sets, read_set

OWN_PAGES = Path(__file__).parent / "pages"
PER_SET = 4
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".pdf"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One page as a client sends it."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PageSet:
    """Pages in the order they are sent: kinds of documents take turns, as in mixed traffic."""

    source: str
    pages: tuple[PageFile, ...]


def find_pages(directory: Path | None, per_set: int = PER_SET) -> PageSet:
    """The pages of the labelled sets below ``directory``, of a plain folder, or our own.

    Raises:
        ValueError: the directory has no pages.
    """
    if directory is None:
        return PageSet("benchmarks/speed/pages", _read(sorted(OWN_PAGES.iterdir())))
    sets = find_sets(directory)
    if not sets:
        files = sorted(path for path in directory.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise ValueError(f"{directory}: no pages")
        return PageSet(directory.name, _read(files))
    chosen = [_evaluation_pages(labels, per_set) for labels in sets.values()]
    turns = [image for turn in range(per_set) for images in chosen for image in images[turn : turn + 1]]
    names = ", ".join(name for name, images in zip(sets, chosen, strict=True) if images)
    return PageSet(names, _read(turns))


def _evaluation_pages(labels: Path, number: int) -> list[Path]:
    """Evenly spread among the rows of a set that evaluate; none of a set of single lines."""
    rows = [row.image for row in read_set(labels) if row.evaluates and not row.is_crop]
    return [rows[i * len(rows) // number] for i in range(min(number, len(rows)))]


def _read(paths: list[Path]) -> tuple[PageFile, ...]:
    return tuple(PageFile(path.name, path.read_bytes()) for path in paths)
