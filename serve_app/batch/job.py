"""The batch job on Ray Data: a pool of workers, each a whole graph, fed with paths.

Whole documents go to a worker, not pages from stage to stage: pixels then never leave the process
that decoded them, and documents read side by side fill the batches of every stage as requests to
the service do. A worker has one process's memory and, on a GPU, one context for all its models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ray
import ray.data

from serve_app.batch.plan import Task
from serve_app.batch.records import Record
from serve_app.batch.worker import Worker, WorkerOptions

# Documents of one Ray task: few, so that little is done twice when a worker dies, but not so few that
# a million documents are hundreds of thousands of tasks.
_LEAST_UNIT, _GREATEST_UNIT, _UNITS = 4, 64, 2000
# While one unit ends, the next fills the batches.
_UNITS_AT_A_TIME = 2
# A document that kills its worker is tried in another; if it kills that too, its unit is given up.
_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Pool:
    """Least and greatest number of workers, and what each reserves. None: as many as fit."""

    workers: tuple[int, int] | None = None
    cpus: float = 1.0
    gpus: float = 0.0

    def size(self) -> tuple[int, int]:
        """Least and greatest number of workers in the cluster that is connected."""
        if self.workers is not None:
            return self.workers
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        fitting = resources.get("CPU", 1.0) / self.cpus
        if self.gpus:
            fitting = min(fitting, resources.get("GPU", 0.0) / self.gpus)
        number = max(1, math.floor(fitting))
        return number, number


def unit_size(number: int) -> int:
    """Documents of one Ray task, for so many in all."""
    return min(_GREATEST_UNIT, max(_LEAST_UNIT, math.ceil(number / _UNITS)))


def read_all(tasks: Sequence[Task], options: WorkerOptions, pool: Pool) -> Iterator[Record]:
    """Records of the documents as they are read; none for those whose workers died with them.

    Ray must be initialised.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    least, greatest = pool.size()
    units = math.ceil(len(tasks) / unit_size(len(tasks)))
    documents = ray.data.from_items([{"path": task.path} for task in tasks], override_num_blocks=units)
    records = documents.map_batches(
        Worker,
        fn_constructor_args=(options,),
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(
            min_size=least,
            max_size=greatest,
            max_tasks_in_flight_per_actor=2 * _UNITS_AT_A_TIME,
            max_concurrent_calls_per_actor=_UNITS_AT_A_TIME,
            enable_true_multi_threading=True,
        ),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
        max_task_retries=_RETRIES,
    )
    for row in records.iter_rows():
        yield Record.model_validate_json(row["record"])
