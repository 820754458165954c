"""Command line: ``python -m training.synth fonts|texts|lines|real|preview``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.synth.shards import LineJob

from training.labelled_lines import EvaluationRows, check_may_train
from training.real import LabelError
from training.synth.corpora import DEFAULT_DIRECTORY as TEXTS
from training.synth.fonts import DEFAULT_DIRECTORY as FONTS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.synth", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    fonts = verbs.add_parser("fonts", help="fetch the pinned font packages and index their faces")
    fonts.add_argument("--out", type=Path, default=FONTS)
    fonts.add_argument("--workers", type=int, default=2)
    texts = verbs.add_parser("texts", help="fetch the pinned text packages and boil them down")
    texts.add_argument("--out", type=Path, default=TEXTS)
    lines = verbs.add_parser("lines", help="write shards of rendered lines")
    lines.add_argument("--number", type=int, required=True)
    lines.add_argument("--out", type=Path, required=True)
    lines.add_argument("--workers", type=int, default=1)
    real = verbs.add_parser("real", help="cut labelled real lines and write them as shards")
    source = real.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of the known labelled sets (training rows only)")
    source.add_argument("--folder", type=Path, help="one folder with labels.jsonl, all rows")
    source.add_argument("--csv", type=Path, help="a CSV with the columns File name, Text, Class")
    real.add_argument("--out", type=Path, required=True)
    real.add_argument("--cuts", type=int, nargs=2, default=(4, 12), metavar=("PRINTED", "HANDWRITTEN"))
    real.add_argument("--seed", type=int, default=1)
    preview = verbs.add_parser("preview", help="write a contact sheet of rendered lines")
    preview.add_argument("--out", type=Path, required=True)
    preview.add_argument("--number", type=int, default=200)
    from training.synth import pages

    pages.add_arguments(verbs.add_parser("pages", help="write synthetic pages with labelled lines"))
    for verb in (lines, preview):
        verb.add_argument("--seed", type=int, default=1)
        verb.add_argument("--handwritten", type=float, default=0.35, metavar="SHARE", help="0 to 1")
        verb.add_argument("--fonts", type=Path, default=FONTS)
        verb.add_argument("--texts", type=Path, default=TEXTS)
        verb.add_argument("--split", choices=("train", "test"), default="train", help="faces and prose")
        verb.add_argument("--tracks", type=Path, help="folder with pen tracks (strokes.jsonl) of letters")
    return parser


def _fonts(options: argparse.Namespace) -> str:
    from training.synth.font_fetch import fetch_fonts

    return f"{fetch_fonts(options.out, options.workers)} faces in {options.out}"


def _texts(options: argparse.Namespace) -> str:
    from training.synth.text_fetch import fetch_texts

    return ", ".join(f"{name}: {size} characters" for name, size in fetch_texts(options.out).items())


def _job(options: argparse.Namespace) -> LineJob:
    from training.synth.shards import LineJob

    return LineJob(
        options.number,
        options.seed,
        options.fonts,
        options.texts,
        options.handwritten,
        options.tracks,
        options.split,
    )


def _lines(options: argparse.Namespace) -> str:
    from training.synth.shards import write_lines

    job = _job(options)
    return f"{write_lines(job, options.out, options.workers)} lines in {options.out}"


def _real(options: argparse.Namespace) -> str:
    from deployments.types import Kind
    from training.real import counted, csv_lines, folder_lines, training_lines, write_real

    if options.data:
        lines = training_lines(options.data)
    else:
        check_may_train(options.folder or options.csv)
        lines = folder_lines(options.folder) if options.folder else csv_lines(options.csv)
        lines = counted(lines, options.folder or options.csv)
    cuts = dict(zip((Kind.PRINTED, Kind.HANDWRITTEN), options.cuts, strict=True))
    return f"{write_real(lines, options.out, cuts, options.seed)} lines in {options.out}"


def _pages(options: argparse.Namespace) -> str:
    from training.synth.pages import run

    run(options)
    return str(options.out or options.preview)


def _preview(options: argparse.Namespace) -> str:
    from training.synth.preview import contact_sheet
    from training.synth.shards import line_at

    job = _job(options)
    shown = contact_sheet((line_at(job, index) for index in range(options.number)), options.out)
    return f"{shown} lines in {options.out}"


_VERBS: dict[str, Callable[[argparse.Namespace], str]] = {
    "fonts": _fonts, "texts": _texts, "lines": _lines, "real": _real, "preview": _preview, "pages": _pages,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = _parser().parse_args(arguments)
    try:
        print(_VERBS[options.verb](options))
    except (FileExistsError, FileNotFoundError, LabelError, EvaluationRows) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
