"""Score a running service on labelled sets, over HTTP, as its clients see it.

    python -m benchmarks.accuracy [--url URL] [--sets NAME,NAME] [--data DIRECTORY] [--jobs N]

What the columns say: ``word_f1`` bag of words; ``line_f1`` lines found at IoU 0.5 and ``line_iou``
how well they fit; ``page_text_error`` edit distance of the whole page's text, in reading order, over
its length; ``in_order`` share of the found lines that need not move to stand in the labelled order;
``cer`` of single lines; ``kind_accuracy`` of handwritten or printed.

Pages go to ``POST /ocr``; sets of single lines go there with ``layout=line``. When nothing answers
at the default address a service is started for the run and stopped afterwards. Each set is scored
on all rows, and on the rows that never train nor tune (evaluation).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.labelled_sets import BadLabels, Row, find_sets, read_set
from benchmarks.records import DATA, write_record
from benchmarks.scoring import (
    Counts,
    Line,
    score_crop,
    score_page,
    summarize,
    total,
    unread_crop,
    unread_page,
)
from deployments.types import Kind
from serve_app.environment import ROOT, environment
from serve_app.launch import ServeProcess, is_ready, wait_until_ready

URL = "http://127.0.0.1:8000"
TIMEOUT_S = 300.0
COLUMNS = (
    "n",
    "failed",
    "word_f1",
    "line_f1",
    "line_iou",
    "page_text_error",
    "in_order",
    "cer",
    "kind_accuracy",
)
NO_DATA, NO_SERVICE = 0, 2


class Reader:
    """The service as a function from labelled rows to scores."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self.engines: dict[str, Any] = {}

    def score(self, row: Row) -> Counts:
        """Send one image and compare the answer; a refusal or failure scores as nothing read."""
        try:
            pages = self._read(row)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            print(f"  {row.image.name}: {error}", file=sys.stderr)
            return unread_crop(row.lines[0]) if row.is_crop else unread_page(row.lines)
        lines = [_line(region) for page in pages for region in page["regions"]]
        if row.is_crop:
            kind = lines[0].kind if lines else None
            return score_crop("\n".join(line.text for line in lines), kind, row.lines[0])
        return score_page(lines, row.lines, by_quad=row.by_quad)

    def _read(self, row: Row) -> list[dict[str, Any]]:
        answer = self._http.post(
            "/ocr",
            params={"layout": "line"} if row.is_crop else None,
            files={"image": (row.image.name, row.image.read_bytes())},
        )
        if answer.is_error:
            raise ValueError(f"{answer.status_code} {answer.text[:200]}")
        content = answer.json()
        self.engines = content.get("engines", {})
        pages: list[dict[str, Any]] = content["pages"]
        return pages


def score_set(reader: Reader, rows: Sequence[Row], jobs: int) -> dict[str, Any]:
    """Scores of one set on all and on its evaluation rows, and seconds per image."""
    started_s = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        counts = list(pool.map(reader.score, rows))
    seconds = time.monotonic() - started_s
    evaluation = [count for count, row in zip(counts, rows, strict=True) if row.evaluates]
    return {
        "all": summarize(total(counts)),
        "evaluation": summarize(total(evaluation)),
        "s_per_item": round(seconds / len(rows), 3) if rows else 0.0,
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """The scores as text: two rows a set, one for all rows and one for the evaluation rows."""
    lines = [f"{'set':<22} {'rows':<11}" + "".join(f"{name:>16}" for name in (*COLUMNS, "s_per_item"))]
    for name, scores in results.items():
        for part in ("all", "evaluation"):
            values = {**scores[part], "s_per_item": scores["s_per_item"]}
            cells = (values.get(column, "") for column in (*COLUMNS, "s_per_item"))
            lines.append(f"{name:<22} {part:<11}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


@contextlib.contextmanager
def service(url: str | None) -> Iterator[str | None]:
    """The address of a service that is ready, one of our own if none is; None if it cannot start."""
    address = (url or URL).rstrip("/")
    if url or is_ready(address):
        yield address if is_ready(address) else None
        return
    print(f"nothing is ready at {address}: starting a service for this run", file=sys.stderr)
    serve = ServeProcess(ROOT / "serve_config.yaml", environment(os.environ))
    try:
        yield address if wait_until_ready(serve, address) else None
    finally:
        serve.stop()


def _line(region: dict[str, Any]) -> Line:
    kind = region.get("kind")
    quad = np.asarray(region["polygon"], np.float32).reshape(4, 2)
    return Line(quad, region.get("text") or "", Kind(kind) if kind else None)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help=f"a running service; without it {URL}, or one of its own")
    parser.add_argument("--sets", default="", help="names of sets, parted by commas; without it all")
    parser.add_argument("--data", type=Path, default=DATA, help=f"directory of the sets ({DATA})")
    parser.add_argument("--jobs", type=int, default=2, help="requests at a time")
    return parser.parse_args()


def main() -> int:
    options = _options()
    if not options.data.is_dir():
        print(f"SKIPPED: there are no labelled sets at {options.data}; name their directory with --data")
        return NO_DATA
    try:
        found = find_sets(options.data, [name for name in options.sets.split(",") if name])
        sets = {name: read_set(labels) for name, labels in found.items()}
    except BadLabels as error:
        print(error, file=sys.stderr)
        return 1
    with service(options.url) as url:
        if url is None:
            print(f"no service is ready at {options.url or URL}", file=sys.stderr)
            return NO_SERVICE
        reader, results = Reader(url), {}
        for name, rows in sets.items():
            print(f"{name}: {len(rows)} images", file=sys.stderr)
            results[name] = score_set(reader, rows, options.jobs)
    print(table(results))
    figures = {"jobs": options.jobs, "engines": reader.engines, "sets": results}
    print(f"\nwritten to {write_record('accuracy', figures).relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
