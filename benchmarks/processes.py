"""What the processes of a system cost: processor time and memory, read from the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of process took: seconds of processor time, and PSS in MiB at its highest.

    PSS (proportional set size) divides pages that several processes share among them, so the sum
    over processes is what the machine really gives. ``count`` is how many processes there were.
    """

    cpu_s: float
    pss_mib: float
    count: int


def descendants(root: psutil.Process | None = None) -> list[psutil.Process]:
    """The processes that this one, or ``root``, has started, and theirs."""
    return list((root or psutil.Process()).children(recursive=True))


def command(process: psutil.Process) -> list[str]:
    """The words of a process's command line; empty when it has ended."""
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def name(process: psutil.Process) -> str:
    """The part of the command that tells the processes of Ray and of the benchmarks apart."""
    words = command(process)
    if not words:
        return "?"
    if words[0].startswith("ray"):
        # An actor's title ends in the method that it is in at the moment.
        return words[0].split(" (")[0].partition(".")[0]
    names = [Path(word).name for word in words[:4] if not word.startswith("-")]
    return " ".join(names)[:48]


def cpu_s(process: psutil.Process) -> float | None:
    """Processor time since its start, user and system; None when it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)


def pss_mib(process: psutil.Process) -> float | None:
    """Memory as PSS; None when the process has ended or may not be asked."""
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return None


class Meter:
    """Processor time of a set of processes over a span, and their memory at its end, by name.

    Reading PSS walks the page tables of a process, which costs as much as some of what is measured:
    so it is read when the span is over.
    """

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._started = {process: cpu_s(process) or 0.0 for process in processes}
        self._names = {process: name(process) for process in processes}
        self._spent: dict[psutil.Process, float] = {}

    def stop(self) -> None:
        """End the span of processor time."""
        self._spent = {
            process: (cpu_s(process) or started_s) - started_s for process, started_s in self._started.items()
        }

    def costs(self) -> dict[str, Cost]:
        """Costs by name of process; call after :meth:`stop`."""
        grouped: dict[str, Cost] = {}
        for process, spent_s in self._spent.items():
            before = grouped.get(self._names[process], Cost(0.0, 0.0, 0))
            memory_mib = before.pss_mib + (pss_mib(process) or 0.0)
            grouped[self._names[process]] = Cost(before.cpu_s + spent_s, memory_mib, before.count + 1)
        return grouped
