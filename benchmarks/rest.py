"""What a running service takes at rest: memory and processor time of every process it is made of.

    python -m benchmarks.rest [--seconds 60] [--pid PID] [--output FILE]

Memory is PSS (proportional set size): pages shared by several processes are divided among
them, so the sum over processes is what the machine really gives. Without ``--pid`` all Ray
processes of the machine are measured; with it, that process and its descendants.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.processes import command, cpu_s, name, pss_mib

RAY_MARKS = ("serve_app.launch", "ray.serve.scripts", "ray/core/src/ray/", "ray/dashboard/", "ray::")


@dataclass(frozen=True, slots=True)
class ProcessAtRest:
    """One process: PSS in MiB, processor time as a share of one core (1.0 is a whole core)."""

    pid: int
    name: str
    pss_mib: float
    cores: float


def find_processes(root_pid: int | None = None) -> list[psutil.Process]:
    """Ray's processes on this machine, or one process with its descendants."""
    if root_pid is not None:
        roots = [psutil.Process(root_pid)]
    else:
        roots = [p for p in psutil.process_iter() if any(mark in " ".join(command(p)) for mark in RAY_MARKS)]
    found = {process.pid: process for process in roots}
    for root in roots:
        for child in root.children(recursive=True):
            found[child.pid] = child
    return [process for pid, process in sorted(found.items()) if pid != psutil.Process().pid]


def measure(processes: list[psutil.Process], seconds: float) -> list[ProcessAtRest]:
    """Sample processor time over ``seconds``, then memory; processes that end meanwhile are left out."""
    before = {process.pid: cpu_s(process) for process in processes}
    started_s = time.monotonic()
    time.sleep(seconds)
    elapsed_s = time.monotonic() - started_s
    rows = []
    for process in processes:
        start_s, end_s, memory_mib = before[process.pid], cpu_s(process), pss_mib(process)
        if start_s is not None and end_s is not None and memory_mib is not None:
            rows.append(
                ProcessAtRest(
                    process.pid, name(process), round(memory_mib, 1), round((end_s - start_s) / elapsed_s, 4)
                )
            )
    return sorted(rows, key=lambda row: -row.pss_mib)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long processor time is sampled")
    parser.add_argument("--pid", type=int, help="measure this process and its descendants only")
    parser.add_argument("--output", type=Path, help="also write the figures as JSON")
    options = parser.parse_args()
    processes = find_processes(options.pid)
    if not processes:
        print("no Ray process is running", file=sys.stderr)
        return 1
    rows = measure(processes, options.seconds)
    for row in rows:
        print(f"{row.pid:>8}  {row.pss_mib:>8.1f} MiB  {row.cores:>7.4f} cores  {row.name}")
    memory_mib, cores = sum(row.pss_mib for row in rows), sum(row.cores for row in rows)
    span = f"over {options.seconds:.0f} s"
    print(f"{len(rows):>8}  {memory_mib:>8.1f} MiB  {cores:>7.4f} cores  in all, {span}")
    if options.output:
        figures = {"seconds": options.seconds, "pss_mib": round(memory_mib, 1), "cores": round(cores, 4)}
        options.output.write_text(
            json.dumps({**figures, "processes": [asdict(r) for r in rows]}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
