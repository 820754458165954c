"""Read documents with a running service, from the command line.

python -m serve_app.client scan.pdf --format pdf -o searchable.pdf
python -m serve_app.client scans/ 'more/*.tif' --format json -o readings/

Folders are searched for documents, patterns are expanded. One document goes to ``-o FILE`` or to
standard output; several go to files of their own names in the folder ``-o DIR``, those of a folder
below it as they lay. A service that is busy is asked again, when it says; so is one that lost the
connection or a part of itself. Where the service asks for an API key, it is taken from --key or from
SCRIPTORIUM_KEY. With --as-job, documents that take minutes are read in the background of the service,
and the bar tells their pages. Exit codes: 0 everything was read, 1 some documents were not, 2 the
command makes no sense, 3 no service answers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from tqdm import tqdm

from serve_app.client_files import find_documents, targets
from serve_app.http_client import TRIES, Client, NoService, Refused
from serve_app.pages import TextLayer
from serve_app.render.formats import FILE_SUFFIXES
from serve_app.schemas import Layout, OutputFormat

URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "SCRIPTORIUM_KEY"
FAILED, MISUSED, NO_SERVICE = 1, 2, 3


def run(client: Client, documents: Sequence[Path], places: Sequence[Path | None], options: Options) -> int:
    """Read everything, tell what failed, and give the exit code."""

    def read(pair: tuple[Path, Path | None]) -> str | None:
        document, place = pair

        def show(pages_done: int, page_count: int) -> None:
            bar.set_postfix_str(f"{document.name}: {pages_done} of {page_count} pages")

        try:
            if options.as_job:
                reading = client.read_as_job(document, options.parameters, show)
            else:
                reading = client.read(document, options.parameters)
            _put(reading, place)
        except (Refused, OSError) as error:
            return f"{document}: {error}"
        return None

    failures = []
    pairs = list(zip(documents, places, strict=True))
    with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(pairs), disable=options.quiet) as bar:
        try:
            for failure in pool.map(read, pairs):
                bar.update()
                failures += [failure] if failure else []
            code = FAILED if failures else 0
        except NoService as error:
            pool.shutdown(cancel_futures=True)
            failures.append(str(error))
            code = NO_SERVICE
    for failure in failures:
        print(failure, file=sys.stderr)
    return code


def _put(reading: bytes, place: Path | None) -> None:
    if place is None:
        sys.stdout.buffer.write(reading)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(reading)


@dataclass(frozen=True, slots=True)
class Options:
    """How to read: parameters of the request, requests at a time, whether to show progress, and as jobs."""

    parameters: dict[str, str]
    jobs: int = 2
    quiet: bool = False
    as_job: bool = False


def _parser() -> argparse.ArgumentParser:
    head, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m serve_app.client",
        description=head,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("documents", nargs="+", help="files, folders or patterns")
    parser.add_argument("--url", default=URL, help=f"address of the service ({URL})")
    parser.add_argument("--key", help=f"API key; {KEY_VARIABLE} keeps it out of process lists")
    parser.add_argument("--format", choices=[str(each) for each in OutputFormat], default="text")
    parser.add_argument("--layout", choices=[str(each) for each in Layout])
    parser.add_argument("--engine", help="recognition engine that reads every line")
    parser.add_argument("--pages", help="pages of each document, such as 1-3,7")
    parser.add_argument("--dpi", type=int, help="resolution that PDF pages are drawn at")
    parser.add_argument("--text-layer", choices=[str(each) for each in TextLayer], help="a PDF's own text")
    parser.add_argument("--kind", choices=["handwritten", "printed"], help="lines of this kind only")
    parser.add_argument("--min-confidence", type=float, help="lines that are at least so sure, 0 to 1")
    parser.add_argument("--words", action="store_const", const="true", help="JSON with words in its lines")
    parser.add_argument("-o", "--output", help="file, or folder for several documents")
    parser.add_argument("--as-job", action="store_true", help="for documents that take minutes")
    parser.add_argument("--jobs", type=int, default=2, help="requests at a time")
    parser.add_argument("--tries", type=int, default=TRIES, help="how often what may pass is tried")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds to wait for an answer")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    chosen = _parser().parse_args(arguments)
    names = ("format", "layout", "engine", "pages", "dpi", "text_layer", "kind", "min_confidence", "words")
    given = {name: getattr(chosen, name) for name in names}
    parameters = {name: str(value) for name, value in given.items() if value is not None}
    try:
        documents = find_documents(chosen.documents)
        places = targets(documents, chosen.output, FILE_SUFFIXES[OutputFormat(chosen.format)])
        key = _header_key(chosen.key or os.environ.get(KEY_VARIABLE))
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return MISUSED
    # Over text on standard output a bar is in the way, but for a job, which takes its time.
    quiet = chosen.quiet or (places == [None] and not chosen.as_job)
    options = Options(parameters, max(1, chosen.jobs), quiet, chosen.as_job)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=chosen.url, timeout=chosen.timeout, headers=headers) as http:
        paths = [document.path for document in documents]
        return run(Client(http, max(1, chosen.tries)), paths, places, options)


def _header_key(key: str | None) -> str | None:
    """The key, as a header can carry it. Raises ValueError where it cannot."""
    if key and not (key.isascii() and key.isprintable()):
        raise ValueError("an API key has plain letters, digits and signs only")
    return key


if __name__ == "__main__":
    sys.exit(main())
