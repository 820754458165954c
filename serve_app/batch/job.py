"""The batch job on Ray Data: a pool of workers, each a whole graph, fed with paths.

Whole documents go to a worker, not pages from stage to stage: pixels then never leave the process
that decoded them, and documents read side by side fill the batches of every stage as requests to
the service do. A worker has one process's memory and, on a GPU, one context for all its models.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ray
import ray.data
from ray._private.log import PlainRayHandler

from serve_app.batch.plan import Task
from serve_app.batch.records import Record
from serve_app.batch.worker import Worker, WorkerOptions

# Documents of one Ray task: few, so that little is done twice when a worker dies, but not so few that
# a million documents are hundreds of thousands of tasks.
_LEAST_UNIT, _GREATEST_UNIT, _UNITS = 4, 64, 2000
# While one unit ends, the next fills the batches.
_UNITS_AT_A_TIME = 2
# A document that kills its worker takes what is read beside it along, and does so again.
_RETRIES = 1


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


def read_all(
    tasks: Sequence[Task], options: WorkerOptions, pool: Pool, alone: bool = False
) -> Iterator[Record]:
    """Records of the documents as they are read; none for those whose workers died with them twice.

    ``alone`` reads one document at a time in each worker, so that one which kills it harms no other.
    Ray must be initialised.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Units that are lost are told by what is missing, and do not end the job.
    context.max_errored_blocks = -1
    _quieten()
    units = len(tasks) if alone else math.ceil(len(tasks) / unit_size(len(tasks)))
    least, greatest = pool.size()
    at_a_time = 1 if alone else _UNITS_AT_A_TIME
    documents = ray.data.from_items([{"path": task.path} for task in tasks], override_num_blocks=units)
    records = documents.map_batches(
        Worker,
        fn_constructor_args=(options,),
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(
            min_size=min(least, units),
            max_size=min(greatest, units),
            max_tasks_in_flight_per_actor=at_a_time if alone else 2 * at_a_time,
            max_concurrent_calls_per_actor=at_a_time,
            enable_true_multi_threading=True,
        ),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
        ray_remote_args_fn=lambda: {"max_task_retries": _RETRIES},
    )
    for row in records.iter_rows():
        yield Record.model_validate_json(row["record"])


def _quieten() -> None:
    """Ray Data's plans and the traces of lost units are in its log files; the console is ours."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, PlainRayHandler):
            handler.setLevel(logging.CRITICAL)
