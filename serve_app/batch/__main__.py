"""Read folders and buckets of documents, without a service.

python -m serve_app.batch scans/ readings/
python -m serve_app.batch s3://in/scans s3://out/readings --format json --format pdf --address auto

Each document's result is written as soon as it is there, under the document's own path with the
format's suffix. Run again, it reads what has no result yet, failed, or changed. What became of every
document stands in OUT/_batch/manifest.jsonl. Exit codes: 0 everything is read, 1 some documents are
not, 2 the command makes no sense, 3 the job failed, 130 it was interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from serve_app.batch.plan import OtherSettings, Settings, Task, claim, is_document, tasks
from serve_app.batch.records import MANIFEST, Manifest, Record
from serve_app.batch.storage import Storage
from serve_app.batch.worker import WorkerOptions
from serve_app.config import AppConfig
from serve_app.environment import ALWAYS, OFFLINE, ROOT, environment
from serve_app.render.formats import FILE_SUFFIXES
from serve_app.schemas import Layout, OcrQuery, OutputFormat
from serve_app.yaml_files import YamlError, read

FAILED, MISUSED, BROKEN, INTERRUPTED = 1, 2, 3, 130
LOST = "lost"
STORAGE = "storage"
WITHOUT_NETWORK = (*ALWAYS, *OFFLINE)
_SHOWN_FAILURES = 20


class Misuse(Exception):
    """The command makes no sense; the message says why."""


def settings_of(chosen: argparse.Namespace) -> Settings:
    """All that decides what is in the results. Raises Misuse."""
    names = ("layout", "pages", "dpi", "text_layer", "engine", "kind", "min_confidence", "words")
    given = {name: getattr(chosen, name) for name in names}
    try:
        found = read(chosen.config)
        (application,) = found[0].content["applications"]
        config = AppConfig.model_validate(application.get("args") or {})
        tuning = {
            block["name"]: block["user_config"]
            for block in application.get("deployments", [])
            if "user_config" in block
        }
        query = OcrQuery.model_validate({name: value for name, value in given.items() if value is not None})
    except (YamlError, IndexError, KeyError, TypeError, ValueError) as error:
        said = _first_error(error) if isinstance(error, ValidationError) else error
        raise Misuse(f"{chosen.config}: {said}") from None
    formats = tuple(dict.fromkeys(OutputFormat(name) for name in chosen.format or ["json"]))
    return Settings(formats=formats, query=query, config=config, tuning=tuning)


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def workers_of(text: str) -> tuple[int, int]:
    """``4`` or ``2-16`` as least and greatest number."""
    if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a range such as 2-16")
    least, _, greatest = text.partition("-")
    if greatest and int(greatest) < int(least):
        raise argparse.ArgumentTypeError(f"{text!r}: the second number is below the first")
    return int(least), int(greatest or least)


def run(chosen: argparse.Namespace) -> int:
    """Do what is left to do; answers the exit code. Raises Misuse and OSError."""
    settings = settings_of(chosen)
    try:
        source, target = Storage(chosen.source), Storage(chosen.target)
        if not source.exists:
            raise Misuse(f"{chosen.source}: there is no such folder or file")
        if source.holds(target):
            raise Misuse(f"{chosen.target} is in {chosen.source}: results would be read as documents")
        claim(target, settings, source)
    except (OtherSettings, ValueError) as error:
        raise Misuse(str(error)) from None
    documents = [entry for entry in source.entries() if is_document(entry.path)]
    manifest, results = Manifest(target), {entry.path: entry for entry in target.entries()}
    todo = list(tasks(documents, results, settings.formats, manifest.is_to_be_read))
    manifest.start(documents, {task.path for task in todo}, settings.formats)
    for path in filter(is_document, source.nameless()):
        manifest.add(
            Record(document=path, status="failed", code=STORAGE, detail="its path is not UTF-8: rename it")
        )
    print(f"{len(documents)} documents, {len(documents) - len(todo)} read already", file=sys.stderr)
    try:
        if todo:
            _read(todo, manifest, settings, chosen)
    finally:
        manifest.write()
    return report(manifest, f"{chosen.target.rstrip('/')}/{MANIFEST}")


def _read(todo: Sequence[Task], manifest: Manifest, settings: Settings, chosen: argparse.Namespace) -> None:
    own = environment(os.environ)
    os.environ.update(own if chosen.address == "local" else {name: own[name] for name in WITHOUT_NETWORK})
    # Ray takes its settings from the environment when it is imported, and seconds to be so.
    import ray

    from serve_app.batch.job import Pool, read_all

    options = WorkerOptions(chosen.source, chosen.target, settings, chosen.at_a_time, chosen.document_timeout)
    # A Ray of our own inherits the environment. It must have no runtime environment: those workers are
    # started through a shell that does not quote Python's path, and never come where it has a space.
    elsewhere = {"env_vars": {name: os.environ[name] for name in WITHOUT_NETWORK}}
    ray.init(
        address=chosen.address,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env=None if chosen.address == "local" else elsewhere,
    )
    pool = Pool(chosen.workers, chosen.cpus, chosen.gpus)
    try:
        with tqdm(total=len(todo), unit="document", disable=chosen.quiet) as bar:
            for alone in (False, True):
                for record in read_all(todo, options, pool, alone) if todo else ():
                    manifest.add(record)
                    bar.update()
                todo = [task for task in todo if not manifest.knows(task.path)]
    finally:
        ray.shutdown()
    for task in todo:
        detail = "its worker died with it, with other documents beside it and twice with it alone"
        manifest.add(Record(document=task.path, status="failed", code=LOST, detail=detail))


def report(manifest: Manifest, where: str) -> int:
    """Say what was not read; answers the exit code."""
    failures = manifest.failures()
    for record in failures[:_SHOWN_FAILURES]:
        print(f"{record.document}: {record.code}: {record.detail}", file=sys.stderr)
    if len(failures) > _SHOWN_FAILURES:
        print(f"and {len(failures) - _SHOWN_FAILURES} more", file=sys.stderr)
    counted = ", ".join(f"{number} {code}" for code, number in manifest.codes().items())
    print(f"{f'{len(failures)} failed ({counted})' if failures else 'all read'}: {where}", file=sys.stderr)
    return FAILED if failures else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    head, _, rest = (__doc__ or "").partition("\n")
    made = argparse.ArgumentParser(
        prog="python -m serve_app.batch",
        description=head,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("source", metavar="IN", help="folder, bucket (s3://, gs://, abfs://, hdfs://) or file")
    made.add_argument("target", metavar="OUT", help="folder or bucket of the results")
    made.add_argument(
        "--format", action="append", choices=[str(each) for each in FILE_SUFFIXES], help="may be repeated"
    )
    made.add_argument("--config", type=Path, default=ROOT / "serve_config.yaml", help="engines, thresholds")
    made.add_argument("--layout", choices=[str(each) for each in Layout])
    made.add_argument("--pages", help="pages of each document, such as 1-3,7")
    made.add_argument("--dpi", type=int, help="resolution that PDF pages are drawn at")
    made.add_argument("--text-layer", choices=["ignore", "prefer"], help="what to do with text of PDFs")
    made.add_argument("--engine", help="recognition engine that reads every line")
    made.add_argument("--kind", choices=["handwritten", "printed"], help="lines of this kind only")
    made.add_argument("--min-confidence", type=float, help="lines that are at least so sure, 0 to 1")
    made.add_argument("--words", action="store_true", default=None, help="list words in JSON")
    made.add_argument("--workers", type=workers_of, help="processes that read: 4, or 2-16; as many as fit")
    made.add_argument("--cpus", type=float, default=1.0, help="processors of each worker (1)")
    made.add_argument("--gpus", type=float, default=0.0, help="share of a GPU of each worker (0)")
    made.add_argument("--at-a-time", type=int, default=4, help="documents that a worker reads at a time (4)")
    made.add_argument("--document-timeout", type=float, default=600.0, help="seconds for one document (600)")
    made.add_argument("--address", default="local", help="Ray cluster, such as auto; else one of its own")
    made.add_argument("--quiet", action="store_true", help="no progress bar")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    chosen: Any = parser().parse_args(arguments)
    try:
        return run(chosen)
    except Misuse as error:
        print(error, file=sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        print(f"the job failed: {type(error).__name__}: {error}", file=sys.stderr)
        return BROKEN


if __name__ == "__main__":
    sys.exit(main())
