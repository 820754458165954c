"""Tesseract on line crops, as a yardstick: one process a list of crops, one thread, line mode."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from deployments.types import Image

LANGUAGES = "rus+eng"
_WORD = "5"


class TesseractFailed(RuntimeError):
    """The binary answered with an error, or did not read every crop."""


def is_installed() -> bool:
    """Whether the binary and both languages are there."""
    if shutil.which("tesseract") is None:
        return False
    answer = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    return set(LANGUAGES.split("+")) <= set(answer.stdout.split())


def read_lines(crops: Sequence[Image]) -> tuple[list[str], float]:
    """Texts of RGB crops in their order, and the seconds it took, start of the process included.

    Raises:
        TesseractFailed: see the class.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(len(crops))]
        for path, crop in zip(paths, crops, strict=True):
            cv2.imwrite(str(path), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
        listing = Path(folder) / "crops.txt"
        listing.write_text("\n".join(map(str, paths)) + "\n", encoding="utf-8")
        started_s = time.perf_counter()
        answer = subprocess.run(
            ["tesseract", str(listing), "stdout", "-l", LANGUAGES, "--psm", "7", "tsv"],
            capture_output=True,
            check=False,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
        )
        seconds = time.perf_counter() - started_s
    message = answer.stderr.decode("utf-8", "replace").strip()
    if answer.returncode:
        raise TesseractFailed(f"exit {answer.returncode}: {message[-500:]}")
    if (pages := message.count("Page ")) != len(crops):
        raise TesseractFailed(f"{pages} pages for {len(crops)} crops: {message[-500:]}")
    return _texts(answer.stdout.decode("utf-8", "replace"), len(crops)), seconds


def _texts(table: str, pages: int) -> list[str]:
    """Words of each page joined by spaces; pages without a word, which the table may leave out, are empty."""
    words: list[list[str]] = [[] for _ in range(pages)]
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == _WORD:
            words[int(row["page_num"]) - 1].append(row["text"] or "")
    return [" ".join(page) for page in words]
