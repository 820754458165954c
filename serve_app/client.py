"""Read documents with a running service, from the command line.

python -m serve_app.client scan.pdf --format pdf -o searchable.pdf
python -m serve_app.client scans/ 'more/*.tif' --format json -o readings/

Folders are searched for documents, patterns are expanded. One document goes to ``-o FILE`` or to
standard output; several go to files of their own names in the folder ``-o DIR``. A service that is
busy is asked again, when it says. Where the service asks for an API key, it is taken from --key or
from SCRIPTORIUM_KEY. With --as-job, documents that take minutes are read in the background of the
service, and the bar tells their pages. Exit codes: 0 everything was read, 1 some documents were not,
2 the command makes no sense, 3 no service answers.
"""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from tqdm import tqdm

from serve_app.http_client import Client, NoService, Refused
from serve_app.render.formats import FILE_SUFFIXES
from serve_app.schemas import Layout, OutputFormat

URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "SCRIPTORIUM_KEY"
DOCUMENTS = frozenset({".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif"})
FAILED, MISUSED, NO_SERVICE = 1, 2, 3


def find_documents(names: Sequence[str]) -> Iterator[Path]:
    """Files, the documents in folders and below them, and what patterns match.

    Raises FileNotFoundError for a name that is nothing of that.
    """
    for name in names:
        path = Path(name)
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix.lower() in DOCUMENTS)
        elif path.is_file():
            yield path
        elif matches := sorted(glob.glob(name, recursive=True)):
            yield from (Path(match) for match in matches if Path(match).is_file())
        else:
            raise FileNotFoundError(f"no such file, folder or match: {name}")


def targets(documents: Sequence[Path], output: Path | None, suffix: str) -> list[Path | None]:
    """Where each reading goes; None is standard output.

    Raises ValueError where several readings would share one place.
    """
    if output is None or (len(documents) == 1 and not output.is_dir()):
        if len(documents) > 1:
            raise ValueError("several documents need a folder: -o DIR")
        return [output] * len(documents)
    places = [output / f"{document.name}.{suffix}" for document in documents]
    if len(set(places)) < len(places):
        raise ValueError("two documents have the same name; read their folders one by one")
    return list(places)


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
        except (Refused, OSError) as error:
            return f"{document}: {error}"
        if place is None:
            sys.stdout.buffer.write(reading)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(reading)
        return None

    failures = []
    pairs = list(zip(documents, places, strict=True))
    with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(pairs), disable=options.quiet) as bar:
        try:
            for failure in pool.map(read, pairs):
                bar.update()
                failures += [failure] if failure else []
        except NoService as error:
            pool.shutdown(cancel_futures=True)
            print(error, file=sys.stderr)
            return NO_SERVICE
    for failure in failures:
        print(failure, file=sys.stderr)
    return FAILED if failures else 0


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
    parser.add_argument("--pages", help="pages of each document, such as 1-3,7")
    parser.add_argument("--dpi", type=int, help="resolution that PDF pages are drawn at")
    parser.add_argument("--kind", choices=["handwritten", "printed"], help="lines of this kind only")
    parser.add_argument("--min-confidence", type=float, help="lines that are at least so sure, 0 to 1")
    parser.add_argument("-o", "--output", type=Path, help="file, or folder for several documents")
    parser.add_argument("--as-job", action="store_true", help="for documents that take minutes")
    parser.add_argument("--jobs", type=int, default=2, help="requests at a time")
    parser.add_argument("--tries", type=int, default=5, help="how often a busy service is asked")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds to wait for an answer")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    chosen = _parser().parse_args(arguments)
    names = ("format", "layout", "pages", "dpi", "kind", "min_confidence")
    given = {name: getattr(chosen, name) for name in names}
    parameters = {name: str(value) for name, value in given.items() if value is not None}
    try:
        documents = list(find_documents(chosen.documents))
        places = targets(documents, chosen.output, FILE_SUFFIXES[OutputFormat(chosen.format)])
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return MISUSED
    # Over text on standard output a bar is in the way, but for a job, which takes its time.
    quiet = chosen.quiet or (places == [None] and not chosen.as_job)
    options = Options(parameters, max(1, chosen.jobs), quiet, chosen.as_job)
    key = chosen.key or os.environ.get(KEY_VARIABLE)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=chosen.url, timeout=chosen.timeout, headers=headers) as http:
        return run(Client(http, max(1, chosen.tries)), documents, places, options)


if __name__ == "__main__":
    sys.exit(main())
