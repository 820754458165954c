"""Memory, descriptors and sockets of every process of a service over time, and how fast they grow."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from benchmarks.service import Processes

EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one time."""

    at_s: float
    own_mib: float
    descriptors: int


class Watch:
    """Weighs the processes of a service every ten seconds until the ``with`` block ends."""

    def __init__(self, processes: Processes, started_s: float) -> None:
        self._processes = processes
        self._started_s = started_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.readings: dict[str, list[Reading]] = defaultdict(list)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            for name, process in self._named():
                try:
                    # What is shared with others counts as theirs come and go: it says nothing of a leak.
                    own_mib, descriptors = process.memory_full_info().uss / 2**20, process.num_fds()
                except psutil.Error:
                    continue
                at_s = time.monotonic() - self._started_s
                self.readings[name].append(Reading(at_s, own_mib, descriptors))

    def _named(self) -> list[tuple[str, psutil.Process]]:
        found = [("proxy", one) for one in self._processes.proxies()]
        found += [("Serve controller", one) for one in self._processes.controllers()]
        for deployment in ("OcrIngress", "Detection", "Classification", "RecognitionFake"):
            found += [(deployment, one) for one in self._processes.replicas(deployment)]
        decoders = sorted(self._processes.decoders(), key=lambda one: one.pid)
        return found + [(f"decoder {number}", one) for number, one in enumerate(decoders, 1)]


def slope_a_minute(readings: Sequence[Reading]) -> float:
    """Growth of memory, MiB a minute, by least squares; NaN for fewer than three readings."""
    if len(readings) < 3:
        return float("nan")
    at_min = np.array([reading.at_s / 60 for reading in readings])
    return float(np.polyfit(at_min, [reading.own_mib for reading in readings], 1)[0])
