"""The faults: what is done to the service, and when it counts as whole again."""

from __future__ import annotations

import copy
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Protocol

import httpx
import psutil

from benchmarks.chaos.load import attempt, page_of
from benchmarks.service import Processes, Service, wait_until
from cluster.fake_graph import Config, deployment

# A machine with much else to do heals later; who measures compares with the promise.
_PATIENCE_S = 300.0
STAGES = ("Detection", "Classification", "RecognitionFake")
# Numbers on which the model comes to harm, and what their line is to be then.
HARM = {1: "raises", 2: "too few", 3: "nan", 4: "out of memory"}
HANG = 5


class Target(Protocol):
    """A service that harm is done to; ``benchmarks.service.Service`` is one."""

    url: str
    config: Config

    @property
    def processes(self) -> Processes: ...
    def ready(self) -> bool: ...
    def apply(self, config: Config) -> None: ...


Find = Callable[[Target], list[psutil.Process]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; ``inject`` does it and answers when the service is whole again."""

    name: str
    inject: Callable[[Target], None]


def faults() -> Iterator[Fault]:
    """Every fault, in the order in which they are injected."""
    for name in (*STAGES, "OcrIngress"):
        yield Fault(f"kill -9 of the {name} replica", _killing(_replicas(name)))
    yield Fault("kill -9 of the proxy", _killing(lambda s: s.processes.proxies()))
    yield Fault("kill -9 of the Serve controller", _killing(lambda s: s.processes.controllers()))
    yield Fault("kill -9 of all decoders", _killing(lambda s: s.processes.decoders()))
    yield Fault("SIGSEGV in all decoders", _killing(lambda s: s.processes.decoders(), signal.SIGSEGV))
    yield Fault("a recognition replica that stands still (SIGSTOP)", _freeze)
    yield Fault("a model that raises, answers too little, NaN, or runs out of memory", _harm)
    yield Fault("a model that hangs", _hang)
    yield Fault("20 clients that vanish", _vanish)
    yield Fault("20 clients that send a byte now and then", _dawdle)
    yield Fault("ten times the clients, each with a deadline of 5 s", _overload)
    yield Fault("other tuning is deployed", _retune)
    yield Fault("other arguments are deployed: replicas are replaced", _redeploy)


def _replicas(deployment: str) -> Find:
    return lambda service: service.processes.replicas(deployment)


def _killing(find: Find, number: signal.Signals = signal.SIGKILL) -> Callable[[Target], None]:
    def inject(service: Target) -> None:
        victims = find(service)
        assert victims, "nothing to kill"
        for victim in victims:
            victim.send_signal(number)
        _wait_for_successors(service, find, victims)

    return inject


def _wait_for_successors(service: Target, find: Find, victims: list[psutil.Process]) -> None:
    gone = {victim.pid for victim in victims}
    wait_until(lambda: sum(one.pid not in gone for one in find(service)) >= len(victims), _PATIENCE_S)
    wait_until(lambda: reads(service), _PATIENCE_S)


def reads(service: Target) -> bool:
    """Whether every stage is warm and a page is read rightly."""
    with httpx.Client(base_url=service.url, timeout=20) as http:
        return service.ready() and attempt(http, page_of([9]), ["9"]) == "read"


def _freeze(service: Target) -> None:
    find = _replicas("RecognitionFake")
    victims = find(service)
    for victim in victims:
        victim.suspend()
    _wait_for_successors(service, find, victims)


def _harm(service: Target) -> None:
    """Pages with one bad line each: the line fails, or is read after all, and its neighbours are read."""
    with ThreadPoolExecutor(8) as pool, httpx.Client(base_url=service.url, timeout=60) as http:
        for number, answer in pool.map(
            lambda number: (number, http.post("/ocr", content=page_of([7, number, 8]))), list(HARM) * 5
        ):
            (page,) = answer.json()["pages"]
            texts = [region["text"] for region in page["regions"]]
            expected = ["7", str(number) if HARM[number] == "out of memory" else None, "8"]
            assert texts == expected, f"{HARM[number]}: {texts}"


def _hang(service: Target) -> None:
    """One request hangs the model; it ends at the deadline it asked for, the replica is replaced."""
    find = _replicas("RecognitionFake")
    victims = find(service)
    page = page_of([HANG])
    with httpx.Client(base_url=service.url, timeout=30) as http:
        http.get("/healthz")
        started_s = time.monotonic()
        answer = http.post("/ocr", content=page, headers={"Prefer": "wait=3"})
        spent_s = time.monotonic() - started_s
    assert answer.status_code == 504 and spent_s < 4, f"{answer.status_code} after {spent_s:.1f} s"
    _wait_for_successors(service, find, victims)


def _vanish(service: Target) -> None:
    for _ in range(20):
        with suppress(httpx.TransportError):
            httpx.post(f"{service.url}/ocr", content=page_of([11] * 8), timeout=0.05)
    reads(service)


def _dawdle(service: Target) -> None:
    """Heads that promise a body, and a byte of it a second for ten seconds."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    head = f"POST /ocr HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n\r\n".encode()
    with ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(20)]
        for data in (head, *(bytes([number]) for number in range(10))):
            for peer in peers:
                peer.sendall(data)
            time.sleep(1)
    assert reads(service)


def _overload(service: Target) -> None:
    """Sixty clients for 20 s; each is answered by its deadline, or refused before it."""
    ends_s = time.monotonic() + 20

    def ask(number: int) -> float:
        slowest_s = 0.0
        with httpx.Client(base_url=service.url, timeout=30) as http:
            while (started_s := time.monotonic()) < ends_s:
                outcome = attempt(http, page_of([number] * 8), [str(number)] * 8, {"Prefer": "wait=5"})
                assert outcome in ("read", "refused"), outcome
                slowest_s = max(slowest_s, time.monotonic() - started_s)
        return slowest_s

    with ThreadPoolExecutor(60) as pool:
        slowest_s = max(pool.map(ask, range(100, 160)))
    assert slowest_s < 6, f"an answer after {slowest_s:.1f} s"
    wait_until(lambda: reads(service), _PATIENCE_S)


def _retune(service: Target) -> None:
    """A threshold: taken over live, by the replicas that there are."""
    before = _pids(service)
    config = copy.deepcopy(service.config)
    deployment(config, "Detection")["user_config"]["max_lines"] = 300
    service.apply(config)
    assert reads(service) and _pids(service) == before, "replicas were replaced"


def _redeploy(service: Target) -> None:
    """An argument of recognition: its replica is replaced, and the first configuration comes back."""
    before = _pids(service)
    config = copy.deepcopy(service.config)
    fake = config["applications"][0]["args"]["recognition"]["engines"]["fake"]["fake"]
    fake["step_ms"] = fake.get("step_ms", 0) + 1
    for each in (config, service.config):
        service.apply(each)
        wait_until(lambda: reads(service), _PATIENCE_S)
    assert _pids(service) != before, "no replica was replaced"


def _pids(service: Target) -> set[int]:
    return {one.pid for name in STAGES for one in service.processes.replicas(name)}


def end_by_signal(service: Service, requests: int = 6) -> list[str]:
    """SIGTERM while requests are being read: what became of each."""
    values = [[100 + number] for number in range(requests)]
    with ThreadPoolExecutor(requests) as pool, httpx.Client(base_url=service.url, timeout=60) as http:
        asked = [pool.submit(attempt, http, page_of(each), [str(each[0])]) for each in values]
        time.sleep(0.4)
        os.kill(service.pid, signal.SIGTERM)
        return [one.result() for one in asked]
