"""Sending hostile files, many at a time, and keeping count of the answers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.hostile.curated import curated_files
from benchmarks.hostile.http_tricks import Trick, tricks
from benchmarks.hostile.mutations import mutants
from benchmarks.hostile.seeds import seed_files

# The statuses that are meant: read, or refused with the reason. 503 asks to come back, and is sent again.
MEANT = frozenset({200, 400, 413, 415, 422})
HANG_S = 45.0
_ATTEMPTS = 20


@dataclass(slots=True)
class Report:
    """Answers by group of files and status, and what was not as it must be."""

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    decoder_killers: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""
    elapsed_s: float = 0.0
    memory_mib: Sequence[float] = ()

    def markdown(self) -> str:
        """The tables."""
        statuses = sorted({status for counter in self.answers.values() for status in counter})
        head = f"| files | {' | '.join(map(str, statuses))} |\n|{'---|' * (len(statuses) + 1)}"
        rows = [
            f"| {group} | {' | '.join(str(counter[status]) for status in statuses)} |"
            for group, counter in sorted(self.answers.items())
        ]
        total = sum(sum(counter.values()) for counter in self.answers.values())
        codes = ", ".join(f"{code} {count}" for code, count in sorted(self.problems.items()))
        memory = ", ".join(f"{mib:.0f}" for mib in self.memory_mib) or "not measured"
        return "\n".join(
            [
                head,
                *rows,
                "",
                f"{total} requests in {self.elapsed_s:.0f} s.",
                f"Slowest answer: {self.slowest_s:.1f} s ({self.slowest}).",
                f"Problems: {codes or 'none'}.",
                f"Memory of ingress, proxy and decoders along the way, MiB: {memory}.",
                f"Crashed or hung their decoder: {', '.join(self.decoder_killers[:20]) or 'none'}.",
                f"Answers that must not be: {len(self.failures)}.",
                *(f"- {failure}" for failure in self.failures[:40]),
            ]
        )


class Campaign:
    """Sends files to one service. ``keep`` is where files go whose answer is a failure."""

    def __init__(self, url: str, jobs: int, keep: Path | None = None) -> None:
        self._url = url
        self._jobs = jobs
        self._keep = keep
        self._report = Report()
        self._lock = threading.Lock()
        self._http = httpx.Client(base_url=url, timeout=HANG_S, limits=httpx.Limits(max_connections=jobs))

    def run(
        self,
        number: int,
        seed: int,
        weigh: Callable[[], None] = lambda: None,
        memory_mib: Sequence[float] = (),
        leave_out: Collection[str] = (),
    ) -> Report:
        """Curated files, HTTP tricks, then ``number`` mutants; before and after, sound ones must be read."""
        started_s = time.monotonic()
        seeds = seed_files()
        self._each(seeds.items(), lambda name: "sound files", must_be=200)
        weigh()
        curated = [item for item in curated_files().items() if item[0] not in leave_out]
        self._each(curated, lambda name: "made to harm")
        for trick in tricks(seeds["png"]):
            self._try(trick)
        weigh()
        step = max(1, number // 4)
        files = mutants(seeds, number, seed)
        for _ in range(0, number, step):
            batch = [item for _, item in zip(range(step), files, strict=False)]
            self._each(batch, lambda name: f"damaged {name.split()[0]}")
            weigh()
        self._each(seeds.items(), lambda name: "sound files", must_be=200)
        self._report.elapsed_s = time.monotonic() - started_s
        self._report.memory_mib = memory_mib
        self._http.close()
        return self._report

    def _each(
        self, files: Iterable[tuple[str, bytes]], group: Callable[[str], str], must_be: int | None = None
    ) -> None:
        with ThreadPoolExecutor(self._jobs) as pool:
            list(pool.map(lambda item: self._send(item[0], item[1], group(item[0]), must_be), files))

    def _send(self, name: str, data: bytes, group: str, must_be: int | None) -> None:
        started_s = time.monotonic()
        try:
            answer = self._post(data)
            status, code = answer.status_code, _code(answer)
        except httpx.TimeoutException:
            status, code = 0, "no answer in time"
        except httpx.TransportError as error:
            status, code = 0, type(error).__name__
        spent_s = time.monotonic() - started_s
        failed = status not in MEANT if must_be is None else status != must_be
        with self._lock:
            self._count(group, status, code)
            if spent_s > self._report.slowest_s:
                self._report.slowest_s, self._report.slowest = spent_s, name
            if code == "decoder_failed":
                self._report.decoder_killers.append(f"{name} ({spent_s:.1f} s)")
            if failed:
                self._report.failures.append(f"{name}: {status} {code}, {len(data)} bytes")
        if failed and self._keep is not None:
            self._keep.mkdir(parents=True, exist_ok=True)
            (self._keep / f"{status}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)

    def _post(self, data: bytes) -> httpx.Response:
        for _ in range(_ATTEMPTS):
            answer = self._http.post("/ocr", content=data)
            if answer.status_code != 503:
                break
            time.sleep(0.2)
        return answer

    def _try(self, trick: Trick) -> None:
        try:
            status = trick.send(self._url)
        except (TimeoutError, httpx.TimeoutException):
            status = -1
        with self._lock:
            self._count("requests made to harm", status, "")
            if status not in trick.allowed:
                self._report.failures.append(f"{trick.name}: {status}, not one of {sorted(trick.allowed)}")

    def _count(self, group: str, status: int, code: str) -> None:
        self._report.answers.setdefault(group, Counter())[status] += 1
        if code:
            self._report.problems[code] += 1


def _code(answer: httpx.Response) -> str:
    if answer.status_code == 200:
        return ""
    try:
        return str(answer.json()["type"]).rpartition("/")[2]
    except (ValueError, KeyError):
        return "no problem document"
