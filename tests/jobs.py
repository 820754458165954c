"""Stores of jobs on a temporary disk, with a clock that stands still until it is told to go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deployments.errors import OcrError
from deployments.types import Kind
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.records import Job, JobRequest, Summary
from serve_app.jobs.sqlite_store import SqliteJobStore
from serve_app.pages import SourceFile
from serve_app.results import PageOrigin, PageResult, Region
from serve_app.schemas import OcrQuery, OutputFormat

SUMMARY = Summary({"detection": "ink"}, {"total": 12.5})


@dataclass
class Clock:
    """Seconds since the epoch, as it is told."""

    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Disk:
    """A folder of jobs; each store on it stands for a process of its own."""

    directory: Path
    clock: Clock

    def store(self, **config: Any) -> SqliteJobStore:
        return SqliteJobStore(JobsConfig(directory=str(self.directory), **config), self.clock)

    def files(self) -> list[str]:
        """Names of the files of jobs that are on the disk, below the folder of each."""
        return sorted(path.name for path in self.directory.glob("documents/*/*"))


def request(**fields: Any) -> JobRequest:
    query = fields.pop("query", OcrQuery())
    return JobRequest(query, fields.pop("output", OutputFormat.JSON), "request-1", **fields)


async def submitted(store: SqliteJobStore, pages: int = 3, data: bytes = b"document", **fields: Any) -> Job:
    return await store.create(request(**fields), [SourceFile(data, "scan.tif")], pages)


def page(index: int, error: OcrError | None = None, text: str = "Привет") -> PageResult:
    quad = np.float32([[10.1, 20], [110, 24.96], [108.3, 45], [8, 40]])
    region = Region(
        quad,
        0.9,
        Kind.PRINTED,
        0.75,
        text,
        0.5,
        "ink",
        char_spans=((0.0, 0.1), (0.1, 1 / 3)),
        char_confidences=(0.5, 0.25),
    )
    return PageResult(
        index,
        200,
        100,
        skew_deg=-1.25,
        orientation_deg=90,
        regions=() if error else (region,),
        timings_ms={"detection": 1.5},
        error=error,
        origin=PageOrigin(index + 1, 1, "scan.tif", 200.0),
    )
