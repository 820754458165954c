"""What a call from one deployment to another costs, by the way its image takes.

    python -m benchmarks.hop [--calls 100] [--rounds 3] [--megabytes 7]

A deployment calls another one on this machine, which answers with a pixel. Ways take turns within
a round. Processor time is that of all Ray processes, less what they take at rest.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from benchmarks.processes import cpu_s
from benchmarks.rest import find_processes
from deployments.shared_images import SharedBuffers, received
from serve_app.environment import environment

# An image does not fit Serve's default of 4 MiB.
_GRPC_BYTES = 2**28


async def _cost(call: Callable[[], Awaitable[Any]], calls: int) -> tuple[float, float]:
    """Milliseconds of waiting and of processor time that a call takes."""
    processes = find_processes()

    def spent_s() -> float:
        return sum(cpu_s(process) or 0.0 for process in processes)

    await call()
    started_s, cpu_started_s = time.perf_counter(), spent_s()
    for _ in range(calls):
        await call()
    elapsed_s, cpu_elapsed_s = time.perf_counter() - started_s, spent_s() - cpu_started_s
    idle_from_s = spent_s()
    await asyncio.sleep(elapsed_s)
    at_rest_s = spent_s() - idle_from_s
    return 1000 * elapsed_s / calls, 1000 * (cpu_elapsed_s - at_rest_s) / calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=7.0, help="size of the image, 10^6 bytes")
    options = parser.parse_args()
    os.environ |= environment({**os.environ, "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(_GRPC_BYTES)})

    import ray
    from ray import serve  # reads the environment when it is imported

    @serve.deployment(ray_actor_options={"num_cpus": 0.1})
    class Called:
        async def __call__(self, images: Any) -> int:
            return int(received(images)[-1][-1, -1, 0]) if images else 0

    @serve.deployment(ray_actor_options={"num_cpus": 0.1})
    class Caller:
        def __init__(self, called: Any) -> None:
            self._called = called

        async def measure(self, calls: int, rounds: int, megabytes: float) -> dict[str, list[Any]]:
            image = np.zeros((int(megabytes * 1e6 / 3000), 1000, 3), np.uint8)
            near = self._called.options(_by_reference=False)
            buffers = SharedBuffers()

            async def shared() -> None:
                with buffers.lend([image]) as images:
                    await near.remote(images)

            ways: dict[str, Callable[[], Awaitable[Any]]] = {
                "nothing, by reference": lambda: self._called.remote([]),
                "nothing, gRPC": lambda: near.remote([]),
                "image, by reference": lambda: self._called.remote([image]),
                "image, gRPC": lambda: near.remote([image]),
                "image, shared memory and gRPC": shared,
            }
            costs: dict[str, list[Any]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way, call in ways.items():
                    costs[way].append(await _cost(call, calls))
            return costs

    ray.init(logging_level=logging.ERROR)
    graph = Caller.bind(Called.bind())  # type: ignore[attr-defined]
    caller: Any = serve.run(graph)
    costs = caller.measure.remote(options.calls, options.rounds, options.megabytes).result()
    for way, figures in costs.items():
        wall_ms, cpu_ms = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{way:32} {wall_ms:7.1f} ms  {cpu_ms:7.1f} ms of processor time")
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
