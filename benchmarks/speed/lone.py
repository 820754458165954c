"""What one page costs in itself: the service's pipeline and stages in one process, called directly.

    python -m benchmarks.speed.lone CONFIG [--pages DIRECTORY] [--rounds N]

From the bytes of the file to the JSON of the answer, in the stages' own threads (one of torch each,
as in the service), one page at a time. What a lone request takes over HTTP beyond this is what the
service adds: HTTP, Ray, and the way between processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.speed.graph import Graph, read_graph, read_yaml
from benchmarks.speed.pages import PageFile, PageSet, find_pages
from serve_app.environment import ROOT
from serve_app.in_process import InProcessReader
from serve_app.pages import SourceFile
from serve_app.reading import DocumentReader
from serve_app.render.formats import Reading
from serve_app.schemas import OcrQuery, OutputFormat


async def measure(graph: Graph, page_set: PageSet, rounds: int) -> list[float]:
    """Median milliseconds of each page over ``rounds``, after one that is not timed."""
    reader = InProcessReader(graph.config, graph.user_configs)
    documents = DocumentReader(reader, graph.config.limits)
    spent_ms: list[list[float]] = [[] for _ in page_set.pages]
    for number in range(rounds + 1):
        for page, times in zip(page_set.pages, spent_ms, strict=True):
            started_s = time.perf_counter()
            await _read(documents, page)
            if number:
                times.append(1000 * (time.perf_counter() - started_s))
    documents.close()
    await reader.close()
    return [median(times) for times in spent_ms]


async def _read(documents: DocumentReader, page: PageFile) -> None:
    document, images = await documents.read(lambda: [SourceFile(page.data)], OcrQuery(), OutputFormat.JSON)
    await documents.write(Reading(document, "", {}, False, images), OutputFormat.JSON)


def run(config: Path, pages: Path | None, rounds: int) -> list[float]:
    """:func:`measure` in a process of its own."""
    command = [sys.executable, "-m", __name__, str(config), "--rounds", str(rounds)]
    command += ["--pages", str(pages)] if pages else []
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    times: list[float] = json.loads(answer.stdout.splitlines()[-1])
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    graph = read_graph(read_yaml(options.config))
    print(json.dumps(asyncio.run(measure(graph, find_pages(options.pages), options.rounds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
