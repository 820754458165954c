"""Command line: ``python -m training.synth fonts|texts|lines|real|preview``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from training.synth.fonts import DEFAULT_DIRECTORY as FONTS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.synth", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    fonts = verbs.add_parser("fonts", help="fetch the pinned font packages and index their faces")
    fonts.add_argument("--out", type=Path, default=FONTS)
    fonts.add_argument("--workers", type=int, default=2)
    return parser


def main(arguments: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = _parser().parse_args(arguments)
    if options.verb == "fonts":
        from training.synth.font_fetch import fetch_fonts

        print(f"{fetch_fonts(options.out, options.workers)} faces in {options.out}")


if __name__ == "__main__":
    main()
