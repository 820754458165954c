"""What the engines could do at best: one process a core, batches as full and even as they can be.

    python -m benchmarks.speed.limit CONFIG [--pages DIRECTORY] [--processes N] [--seconds S]

Nothing but the engines' three steps is timed: pages are decoded and crops are cut beforehand, no
request waits for another, nothing crosses a process. Each process runs alone on its core, through
all three stages in turn, so that no core is ever idle. The service has decoding, cutting, HTTP and
Ray on top of this. One process with as many threads of torch (``--processes 1 --threads N``) does
less: the steps in Python, and small matrices, keep one core waiting for the other.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.speed.graph import Graph, load_engines, read_graph, read_yaml, values
from benchmarks.speed.pages import PageSet, find_pages
from deployments.batching import BatchLimits, padding
from deployments.engine import Prepared
from deployments.ruling import LineCutter
from deployments.types import Image
from serve_app.config import PipelineOptions
from serve_app.documents import open_document
from serve_app.pages import DocumentOptions, PageLimits, SourceFile

START_TIMEOUT_S = 300.0


@dataclass(slots=True)
class StageCost:
    """What a stage has cost so far: seconds of each step, and its batches."""

    prepare_s: float = 0.0
    forward_s: float = 0.0
    finish_s: float = 0.0
    batches: int = 0
    items: int = 0
    padding: list[float] = field(default_factory=list)


def perfect_batches(prepared: Sequence[Prepared[Any]], limits: BatchLimits) -> list[list[Prepared[Any]]]:
    """Items in order of size, cut into the largest batches that the limits allow."""
    batches: list[list[Prepared[Any]]] = []
    for item in sorted(prepared, key=lambda each: (each.height, each.width)):
        grown = [*batches[-1], item] if batches else [item]
        cost = len(grown) * max(each.height for each in grown) * max(each.width for each in grown)
        fits = len(grown) <= limits.max_items and cost <= limits.max_pixels
        if batches and fits and padding(grown) <= limits.max_padding:
            batches[-1] = grown
        else:
            batches.append([item])
    return batches


def run_stage(engine: Any, items: Sequence[Image], limits: BatchLimits, cost: StageCost) -> list[Any]:
    """All items through an engine, timed; results in order of size."""
    started_s = time.perf_counter()
    prepared = values(engine.prepare(items))
    prepared_s = time.perf_counter()
    batches = perfect_batches(prepared, limits)
    raw = [each for batch in batches for each in engine.forward(batch)]
    forwarded_s = time.perf_counter()
    results = values(engine.finish(raw))
    cost.prepare_s += prepared_s - started_s
    cost.forward_s += forwarded_s - prepared_s
    cost.finish_s += time.perf_counter() - forwarded_s
    cost.batches += len(batches)
    cost.items += len(items)
    cost.padding += [padding(batch) for batch in batches]
    return results


def decode(page_set: PageSet, limits: PageLimits) -> list[Image]:
    """The first page of every file."""
    images = []
    for page in page_set.pages:
        document = open_document([SourceFile(page.data)], limits, DocumentOptions())
        images.append(document.read(0).image)
        document.close()
    return images


def cut_all(detector: Any, images: Sequence[Image], options: PipelineOptions) -> list[Image]:
    """The crops of all pages, as the pipeline cuts them."""
    crops = []
    for image in images:
        (found,) = values(detector.finish(detector.forward(values(detector.prepare([image])))))
        quads = [line.quad for line in found.lines]
        cutter = LineCutter(image, options.crop_height_px, options.crop_margin)
        crops += [cutter.cut(quad) for quad in quads]
    return crops


def measure(graph: Graph, page_set: PageSet, seconds: float, ready: Any) -> dict[str, Any]:
    """Rounds over all pages for at least ``seconds``, once ``ready`` lets every process go."""
    engines = load_engines(graph)
    images = decode(page_set, graph.config.limits)
    crops = cut_all(engines["detection"], images, graph.config.pipeline)
    work = {"detection": images, "classification": crops, "recognition": crops}
    costs: dict[str, StageCost] = {}
    for timed in (False, True):
        costs = {stage: StageCost() for stage in work}
        if timed:
            ready.wait(START_TIMEOUT_S)
        started_s, cpu_s, rounds = time.perf_counter(), time.process_time(), 0
        while rounds == 0 or (timed and time.perf_counter() - started_s < seconds):
            for stage, items in work.items():
                run_stage(engines[stage], items, graph.tunings[stage].batch, costs[stage])
            rounds += 1
    elapsed_s, pages = time.perf_counter() - started_s, rounds * len(images)
    return {
        "pages_s": pages / elapsed_s,
        "cpu_ms_per_page": 1000 * (time.process_time() - cpu_s) / pages,
        "crops_per_page": len(crops) / len(images),
        "stages": {stage: _summary(cost, pages) for stage, cost in costs.items()},
    }


def _summary(cost: StageCost, pages: int) -> dict[str, float]:
    return {
        "prepare_ms": 1000 * cost.prepare_s / pages,
        "forward_ms": 1000 * cost.forward_s / pages,
        "finish_ms": 1000 * cost.finish_s / pages,
        "items_per_batch": cost.items / max(cost.batches, 1),
        "padding": sum(cost.padding) / max(len(cost.padding), 1),
    }


def _worker(
    content: dict[str, Any], page_set: PageSet, threads: int, seconds: float, ready: Any, results: Any
) -> None:
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    results.put(measure(read_graph(content), page_set, seconds, ready))


def run(
    content: dict[str, Any], page_set: PageSet, processes: int, seconds: float, threads: int = 1
) -> dict[str, Any]:
    """The limit over ``processes`` at once: pages/s of all together, other figures of the first.

    ``threads`` are torch's and OpenCV's in each process.

    Raises:
        RuntimeError: a process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(processes), context.Queue()
    arguments = (content, page_set, threads, seconds, ready, results)
    workers = [context.Process(target=_worker, args=arguments) for _ in range(processes)]
    for worker in workers:
        worker.start()
    try:
        answers = [results.get(timeout=START_TIMEOUT_S + 10 * seconds) for _ in workers]
    except Exception as error:
        raise RuntimeError("a process of the limit ended early") from error
    finally:
        for worker in workers:
            worker.join(30)
            worker.kill()
    return {**answers[0], "pages_s": sum(answer["pages_s"] for answer in answers), "processes": processes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV in each process")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    pages = find_pages(options.pages)
    figures = run(read_yaml(options.config), pages, options.processes, options.seconds, options.threads)
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
