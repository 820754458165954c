"""Send hostile files and requests to a service, and say what it answered.

    python -m benchmarks.hostile [--url URL --pid PID] [--number 10000] [--seed 7] [--jobs 4] [--keep DIR]

Without ``--url`` a service with fake engines is started: what is tested is what stands before the
stages. Exit code 1 if anything was answered with a status that nobody meant, took too long, or if the
service was not whole afterwards.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.hostile.campaign import Campaign, Report
from benchmarks.processes import pss_mib
from benchmarks.service import Processes, Service, fake_config


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", help="a running service; else one is started")
    parser.add_argument("--pid", type=int, help="process above a running service, for its memory")
    parser.add_argument("--number", type=int, default=10_000, help="damaged files")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=4, help="requests at a time")
    parser.add_argument("--keep", type=Path, help="folder for files that were answered as none should be")
    parser.add_argument("--output", type=Path, help="write the table there, too")
    options = parser.parse_args()
    with ExitStack() as stack:
        url, pid = options.url, options.pid
        if url is None:
            service = stack.enter_context(Service(fake_config()))
            url, pid = service.url, service.pid
        report = measured(Campaign(url, options.jobs, options.keep), options.number, options.seed, pid)
    print(report.markdown())
    if options.output:
        options.output.write_text(report.markdown() + "\n", encoding="utf-8")
    return 1 if report.failures else 0


def measured(campaign: Campaign, number: int, seed: int, pid: int | None) -> Report:
    """Run a campaign with the memory of ingress and decoders at its start, middle and end."""
    memory_mib: list[float] = []

    def weigh() -> None:
        if pid is not None:
            processes = Processes(pid)
            parts = (*processes.replicas("OcrIngress"), *processes.proxies(), *processes.decoders())
            memory_mib.append(sum(pss_mib(part) or 0.0 for part in parts))

    return campaign.run(number, seed, weigh, memory_mib)


if __name__ == "__main__":
    sys.exit(main())
