"""Memory of a running service while it streams one long PDF: does it grow with the pages?

    python -m benchmarks.long_document [--url URL] [--pages 300] [--fakes] [--as-job]

Every page is a scan of its own (a JPEG inside the PDF). The document goes to ``POST /ocr`` as one
request, its pages come back as JSON lines, and every few pages the memory of the replicas, with the
processes that they have started, and of Serve's proxy and controller is read. With ``--as-job`` it is
submitted to ``POST /jobs``, watched, and its result fetched. What is read of memory is
PSS, which divides shared pages among the processes that map them, and of it ``anonymous``, the part
that is a process's own. The object store is shared memory: it is touched once and then used again,
so ``anonymous`` shows growth and PSS what the machine gives. The slope is that of a straight line
through the samples after the first third of the pages, in MiB per 100 pages.

With ``--fakes`` a service with engines that only count bars is started, to stream pages fast, and
the pages show such bars. Otherwise the service at ``--url`` reads pages of text; one is started
where none is ready.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil

from benchmarks.accuracy import service
from benchmarks.long_pdf import long_pdf
from benchmarks.records import write_record
from benchmarks.service import Service, fake_config

MIB = 2**20
REPLICA = "ray::ServeReplica:"
# What else of Serve a request or its scaling goes through, by the title of the process.
SERVE = {"ray::ProxyActor": "ProxyActor", "ray::ServeController": "ServeController"}
POLL_S = 0.5
SETTLED_SHARE = 1 / 3
EVERY_PAGES = 10


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process in MiB: all of it as PSS, and the part that is its own."""

    pss_mib: float
    anonymous_mib: float


@dataclass(slots=True)
class Watch:
    """Samples of the memory of a service's processes, by name and number of pages read."""

    processes: dict[str, psutil.Process]
    pages: list[int] = field(default_factory=list)
    memory: dict[str, list[Memory]] = field(default_factory=dict)

    def sample(self, pages: int) -> None:
        """Read the memory of every process now; raises NoSuchProcess when one has ended."""
        self.pages.append(pages)
        for name, process in self.processes.items():
            self.memory.setdefault(name, []).append(memory_with_children(process))

    def figures(self) -> dict[str, Any]:
        """Samples and slopes, by process."""
        return {
            name: {
                "pss_mib": [round(sample.pss_mib, 1) for sample in samples],
                "anonymous_mib": [round(sample.anonymous_mib, 1) for sample in samples],
                "pss_mib_per_100_pages": self._slope([sample.pss_mib for sample in samples]),
                "anonymous_mib_per_100_pages": self._slope([sample.anonymous_mib for sample in samples]),
            }
            for name, samples in self.memory.items()
        }

    def _slope(self, values: Sequence[float]) -> float:
        first = next(i for i, page in enumerate(self.pages) if page >= self.pages[-1] * SETTLED_SHARE)
        return round(100 * slope(self.pages[first:], values[first:]), 2)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of the straight line that fits best; 0 for fewer than two points."""
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else 0.0


def memory_of(pid: int) -> Memory:
    """Memory of a process now; raises NoSuchProcess when it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    kib = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return Memory(kib["Pss"] / 1024, kib["Pss_Anon"] / 1024)


def memory_with_children(process: psutil.Process) -> Memory:
    """Memory of a process together with those that it has started: an ingress decodes in such."""
    found = [memory_of(process.pid)]
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(memory_of(child.pid))
    return Memory(sum(each.pss_mib for each in found), sum(each.anonymous_mib for each in found))


def processes_behind(port: int) -> dict[str, psutil.Process]:
    """The replicas of the service that listens on ``port`` of this machine, by deployment, and Serve's own.

    Raises LookupError where nothing of Ray listens there.
    """
    listening = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid
    }
    found: dict[str, psutil.Process] = {}
    for pid in listening:
        raylet = psutil.Process(pid).parent()
        for process in raylet.children(recursive=True) if raylet else []:
            title = (process.cmdline() or [""])[0].split(" ")[0]
            if title.startswith(REPLICA):
                found[title.removeprefix(REPLICA).split(":")[-1]] = process
            elif name := SERVE.get(title.split(".")[0]):
                found[name] = process
    if not found:
        raise LookupError(f"no replica of Ray Serve runs behind port {port}")
    return dict(sorted(found.items()))


def stream(url: str, document: bytes) -> Iterator[dict[str, Any]]:
    """Lines of the streamed answer; raises RuntimeError where the reading fails or breaks off."""
    timeout = httpx.Timeout(60, read=300)
    headers = {"Accept": "application/x-ndjson", "Content-Type": "application/pdf"}
    with httpx.stream("POST", f"{url}/ocr", content=document, headers=headers, timeout=timeout) as answer:
        if answer.is_error:
            raise RuntimeError(answer.read().decode())
        for line in answer.iter_lines():
            message = json.loads(line)
            if "problem" in message:
                raise RuntimeError(message["problem"])
            yield message


def watch_job(url: str, document: bytes) -> tuple[Watch, dict[str, float]]:
    """As ``watch_reading``, by way of a job, which is removed; the last sample is after its result came."""
    watch = Watch(processes_behind(urlsplit(url).port or 80))
    watch.sample(0)
    started_s, first_s, sampled = time.monotonic(), 0.0, 0
    with httpx.Client(base_url=url, timeout=300) as http:
        job = _answer(http.post("/jobs", content=document))
        while job["finished_at"] is None:
            time.sleep(POLL_S)
            job = _answer(http.get(job["links"]["job"]))
            done = job["progress"]["pages_done"]
            first_s = first_s or (time.monotonic() - started_s if done else 0.0)
            if done // EVERY_PAGES > sampled // EVERY_PAGES:
                watch.sample(sampled := done)
        seconds = time.monotonic() - started_s
        pages = _answer(http.get(job["links"]["result"]))["pages"]
        watch.sample(len(pages))
        http.delete(job["links"]["job"])
    return watch, {
        "pages": len(pages),
        "lines_read": sum(region["text"] is not None for page in pages for region in page["regions"]),
        "first_page_s": round(first_s, 2),
        "pages_per_s": round(len(pages) / seconds, 2),
    }


def _answer(response: httpx.Response) -> dict[str, Any]:
    """Raises RuntimeError with the problem where there is one."""
    answer: dict[str, Any] = response.json()
    if response.is_error or answer.get("problem"):
        raise RuntimeError(answer.get("problem") or answer)
    return answer


def watch_reading(url: str, document: bytes) -> tuple[Watch, dict[str, float]]:
    """Stream a document, sampling memory; answers the samples and what was read how fast."""
    watch = Watch(processes_behind(urlsplit(url).port or 80))
    watch.sample(0)
    started_s, pages, regions, first_s = time.monotonic(), 0, 0, 0.0
    for message in stream(url, document):
        if "page" in message:
            pages += 1
            first_s = first_s or time.monotonic() - started_s
            regions += sum(region["text"] is not None for region in message["page"]["regions"])
            if pages % EVERY_PAGES == 0:
                watch.sample(pages)
    seconds = time.monotonic() - started_s
    return watch, {
        "pages": pages,
        "lines_read": regions,
        "first_page_s": round(first_s, 2),
        "pages_per_s": round(pages / seconds, 2),
    }


def table(watch: Watch) -> str:
    """The samples at the start, the middle and the end, and the slopes, as text."""
    rows = [f"{'process':<20}{'PSS first':>11}{'middle':>9}{'last':>9}{'own last':>10}{'own/100 pages':>15}"]
    for name, figures in watch.figures().items():
        pss = figures["pss_mib"]
        last = figures["anonymous_mib"][-1]
        rows.append(
            f"{name:<20}{pss[0]:>11.1f}{pss[len(pss) // 2]:>9.1f}{pss[-1]:>9.1f}{last:>10.1f}"
            f"{figures['anonymous_mib_per_100_pages']:>15.2f}"
        )
    return "\n".join(rows)


@contextlib.contextmanager
def fake_service() -> Iterator[str]:
    """The address of a service of our own with engines that only count bars."""
    with Service(fake_config()) as own:
        yield own.url


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help="a service on this machine; without it one is started if need be")
    parser.add_argument("--pages", type=int, default=300, help="pages of the document")
    parser.add_argument("--fakes", action="store_true", help="start a service with fake engines")
    parser.add_argument("--as-job", action="store_true", help="submit it as a job")
    parser.add_argument("--repeats", type=int, default=1, help="how often the document is sent")
    options = parser.parse_args()
    document = long_pdf(options.pages, bars=options.fakes)
    print(f"{options.pages} pages, {len(document) / MIB:.1f} MiB", file=sys.stderr)
    with fake_service() if options.fakes else service(options.url) as url:
        if url is None:
            print("no service is ready", file=sys.stderr)
            return 2
        runs = []
        for _ in range(options.repeats):
            watch, reading = (watch_job if options.as_job else watch_reading)(url, document)
            print(reading, table(watch), sep="\n")
            runs.append({**reading, "sampled_at_pages": watch.pages, "processes": watch.figures()})
    figures = {
        "fakes": options.fakes,
        "as_job": options.as_job,
        "document_mib": round(len(document) / MIB, 1),
        "runs": runs,
    }
    print(write_record("long-document-job" if options.as_job else "long-document", figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
