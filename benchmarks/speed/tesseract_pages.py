"""Tesseract over the same pages: one process a core, each with a list of files, one thread each."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.speed.pages import PageFile
from benchmarks.tesseract import LANGUAGES, TesseractFailed

SKIPPED = "Tesseract with the languages rus and eng is not installed"


def run(pages: Sequence[PageFile], processes: int) -> dict[str, float]:
    """Pages per second of ``processes`` at once, languages loaded once in each.

    Every process reads all the pages, so that none has easier ones than another; their rates are
    added up.

    Raises:
        TesseractFailed: the binary answered with an error.
    """
    before_s = _children_s()
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "pages.txt"
        listing.write_text("\n".join(str(_write(folder, page)) for page in pages) + "\n", encoding="utf-8")
        with ThreadPoolExecutor(processes) as pool:
            seconds = list(pool.map(lambda _: _read(listing), range(processes)))
    read = len(pages) * processes
    return {
        "pages_s": sum(len(pages) / each for each in seconds),
        "cpu_ms_per_page": 1000 * (_children_s() - before_s) / read,
        "processes": processes,
    }


def _write(folder: str, page: PageFile) -> Path:
    path = Path(folder) / page.name
    path.write_bytes(page.data)
    return path


def _read(listing: Path) -> float:
    command = ["tesseract", str(listing), "stdout", "-l", LANGUAGES, "tsv"]
    started_s = time.perf_counter()
    answer = subprocess.run(
        command, capture_output=True, check=False, env=os.environ | {"OMP_THREAD_LIMIT": "1"}
    )
    if answer.returncode:
        raise TesseractFailed(f"exit {answer.returncode}: {answer.stderr.decode('utf-8', 'replace')[-500:]}")
    return time.perf_counter() - started_s


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
