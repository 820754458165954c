"""Synthetic pages with the truth of every line: ``python -m training.synth.pages --number N --out DIR``.

:func:`sample` fixes everything about a page but pixels, :func:`apply` draws it. Page ``i`` of a
run with master seed ``s`` depends on ``(s, i)`` alone, whatever the number of workers.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.synth.canvas import DrawnLine, oriented_quad
from training.synth.corpora import DEFAULT_DIRECTORY as TEXTS
from training.synth.distractors import draw_mark
from training.synth.drawing import draw
from training.synth.fonts import DEFAULT_DIRECTORY as FONTS
from training.synth.fonts import catalogue
from training.synth.handwriting import load_tracks
from training.synth.inking import ink_on_paper
from training.synth.layouts import Ink, Layout, MarkKind, Panel
from training.synth.page_kinds import KINDS, lay_out
from training.synth.page_source import Paragraphs, Source
from training.synth.page_store import PageWriter, encode_jpeg, rounded
from training.synth.palette import FaceBook
from training.synth.paper import Capture, Paper, lay_on_paper, sample_capture, sample_paper, take_picture
from training.synth.warp import Warp, make_warp, sample_pose

log = logging.getLogger(__name__)

_SEEN_SHARE = 0.6
_LEAST_CONTRAST = 22
_PREVIEW_PAGES = 24


@dataclass(frozen=True, slots=True)
class PageSpec:
    """One page before it is drawn."""

    layout: Layout
    paper: Paper
    capture: Capture
    warp: Warp
    ink_seed: int


@dataclass(frozen=True, slots=True)
class PageLine:
    """Truth of one line in picture pixels: quad (4, 2), char quads (C, 4, 2) and their indices."""

    text: str
    kind: str
    quad: npt.NDArray[np.float32]
    chars: npt.NDArray[np.float32]
    char_index: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PageSample:
    """A drawn page: RGB uint8 ``(H, W, 3)``, its lines, the sort of document."""

    image: npt.NDArray[np.uint8]
    lines: tuple[PageLine, ...]
    kind: str


def sample(rng: np.random.Generator, source: Source, kind: str | None = None) -> PageSpec:
    """Draws a page of the given sort, or of one drawn by the weights of ``KINDS``."""
    names = list(KINDS)
    weights = np.array([KINDS[name].weight for name in names])
    kind = kind or names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if kind not in KINDS:
        raise ValueError(f"unknown page kind {kind!r}: one of {', '.join(names)}")
    layout = lay_out(rng, kind, source)
    old, photographed = KINDS[kind].old, bool(rng.random() < KINDS[kind].photographed)
    warp = make_warp(sample_pose(rng, photographed, KINDS[kind].condensed), layout.width_px, layout.height_px)
    capture = sample_capture(rng, photographed, old)
    if capture.tone == "bilevel":
        # A copier's threshold turns a fading line into nothing: what is copied is set to be read.
        layout.inks = [_legible(ink) for ink in layout.inks]
    return PageSpec(layout, sample_paper(rng, old), capture, warp, int(rng.integers(2**31)))


def _legible(ink: Ink) -> Ink:
    strength = 0.5 * ink.strength
    return replace(
        ink, opacity=max(0.92, ink.opacity), fade=0.3 * ink.fade, grain=0.4 * ink.grain, strength=strength
    )


def apply(spec: PageSpec) -> PageSample:
    """Draws the page; the same spec gives the same pixels."""
    layout = spec.layout
    planes, drawn = draw(layout)
    inked = ink_on_paper(planes, layout.inks, np.random.default_rng(spec.ink_seed))
    for panel in layout.panels:
        _fill_panel(inked, panel)
    for mark in layout.marks:
        if mark.kind is not MarkKind.HOLE:
            draw_mark(inked, mark)
    sheet = lay_on_paper(inked, spec.paper)
    for mark in layout.marks:
        if mark.kind is MarkKind.HOLE:
            draw_mark(sheet, mark)
    picture = take_picture(spec.warp.image(sheet, spec.capture.background), spec.capture)
    moved = [placed for line in drawn if (placed := _move(line, spec.warp)) is not None]
    return PageSample(picture, tuple(line for line in moved if is_visible(picture, line.quad)), layout.kind)


def is_visible(picture: npt.NDArray[np.uint8], quad: npt.NDArray[np.float32]) -> bool:
    """Whether ink stands out inside the quad; fading, copying and shadows can take all of it."""
    (x0, y0), (x1, y1) = quad.min(0).astype(int), np.ceil(quad.max(0)).astype(int)
    window = picture[y0:y1, x0:x1, 1]
    if window.size == 0:
        return False
    dark, bright = np.percentile(window, (4, 75))
    return bool(bright - dark >= _LEAST_CONTRAST)


def _fill_panel(inked: npt.NDArray[np.uint8], panel: Panel) -> None:
    x0, y0, x1, y1 = (max(0, round(v)) for v in panel.box)
    window = inked[y0:y1, x0:x1]
    if window.size:
        tint = np.empty_like(window)
        tint[:] = panel.colour
        if panel.negative:
            window[:] = cv2.max(255 - window, tint)
        else:
            window[:] = cv2.multiply(window, tint, scale=1 / 255)


def _move(line: DrawnLine, warp: Warp) -> PageLine | None:
    """The line in the picture, cut at its borders; None where most of it fell outside."""
    quad = oriented_quad(warp.points(line.hull), warp.points(line.spine))
    inside = np.clip(quad, 0, [warp.width_px, warp.height_px]).astype(np.float32)
    whole, seen = (cv2.contourArea(np.ascontiguousarray(q)) for q in (quad, inside))
    if whole <= 0 or seen < _SEEN_SHARE * whole:
        return None
    return PageLine(line.text, line.kind, inside, warp.points(line.chars), line.char_index)


def page(seed: int, index: int, source: Source, kind: str | None = None) -> PageSample:
    """Page ``index`` of the run with this master seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    return apply(sample(rng, source, kind))


def label(sample_: PageSample) -> dict[str, Any]:
    """The page as a row of ``labels.jsonl``, without its image's name."""
    lines = []
    for line in sample_.lines:
        low, high = line.quad.min(0), line.quad.max(0)
        bbox = rounded(np.concatenate([low, high - low]))
        lines.append({"bbox": bbox, "text": line.text, "kind": line.kind, "polygon": rounded(line.quad)})
    return {"lines": lines, "document": sample_.kind}


def characters(sample_: PageSample) -> list[dict[str, Any]]:
    """One entry a line: quads of its characters and their places in the text."""
    return [{"quads": rounded(line.chars), "index": list(line.char_index)} for line in sample_.lines]


@lru_cache(maxsize=2)
def load_source(fonts: Path = FONTS, texts: Path = TEXTS, tracks: Path | None = None) -> Source:
    pens = load_tracks(tracks) if tracks is not None else None
    return Source(FaceBook.of(catalogue(fonts)), Paragraphs.read(texts), pens)


@dataclass(frozen=True, slots=True)
class _Job:
    seed: int
    index: int
    kind: str | None
    tracks: Path | None


def _make(job: _Job) -> tuple[int, bytes, dict[str, Any], list[dict[str, Any]]]:
    cv2.setNumThreads(1)
    drawn = page(job.seed, job.index, load_source(tracks=job.tracks), job.kind)
    quality = int(np.random.default_rng([job.seed, job.index, 7]).integers(40, 96))
    return job.index, encode_jpeg(drawn.image, quality), label(drawn), characters(drawn)


def _results(
    jobs: list[_Job], workers: int
) -> Iterator[tuple[int, bytes, dict[str, Any], list[dict[str, Any]]]]:
    if workers <= 1:
        yield from map(_make, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_make, jobs, chunksize=4)


@dataclass(frozen=True, slots=True)
class PageRun:
    """What to write: ``number`` pages of the master seed, of one kind or of all."""

    number: int
    seed: int = 0
    kind: str | None = None
    tracks: Path | None = None
    with_characters: bool = False


def write_pages(run_: PageRun, out: Path, workers: int = 1) -> float:
    """Writes the set under ``out``, holding a few pages in memory; returns pages a second."""
    start = time.perf_counter()
    jobs = [_Job(run_.seed, index, run_.kind, run_.tracks) for index in range(run_.number)]
    with PageWriter(out, run_.with_characters) as writer:
        for index, jpeg, row, chars in _results(jobs, workers):
            writer.add(f"{run_.seed}-{index:06d}", jpeg, row, chars)
            if (index + 1) % 200 == 0:
                log.info("%d pages, %.2f a second", index + 1, (index + 1) / (time.perf_counter() - start))
    return run_.number / (time.perf_counter() - start)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", type=int, default=100, help="pages to write")
    parser.add_argument("--out", type=Path, help="directory of the set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kind", choices=sorted(KINDS), help="one sort of document only")
    parser.add_argument("--tracks", type=Path, help="folder with pen tracks (strokes.jsonl) for handwriting")
    parser.add_argument("--characters", action="store_true", help="also write the quads of characters")
    parser.add_argument("--preview", type=Path, help="write one sheet of pages with the truth drawn on them")


def run(options: argparse.Namespace) -> None:
    if options.number < 1 or options.workers < 1:
        raise SystemExit("--number and --workers must be at least 1")
    if options.preview is not None:
        from training.synth.page_preview import write_preview

        count = min(options.number, _PREVIEW_PAGES)
        write_preview(options.preview, PageRun(count, options.seed, options.kind, options.tracks))
        return
    if options.out is None:
        raise SystemExit("say where to write: --out DIR or --preview FILE")
    job = PageRun(options.number, options.seed, options.kind, options.tracks, options.characters)
    speed = write_pages(job, options.out, options.workers)
    log.info("%d pages in %s, %.2f a second", options.number, options.out, speed)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.synth.pages", description=__doc__)
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    run(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
