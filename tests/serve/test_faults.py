"""Faults under load, and hostile files, on a real Ray; `make chaos` and `make hostile` have more of both."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.chaos.faults import HARM, STAGES, Fault, faults
from benchmarks.chaos.load import Load, attempt, page_of
from benchmarks.hostile.campaign import Campaign
from benchmarks.hostile.curated import SLOW
from benchmarks.service import Processes, wait_until
from benchmarks.soak.flood import flood
from benchmarks.soak.traffic import Traffic
from serve_app.launch import is_ready
from tests.serve.conftest import Cluster, Config, with_fakes

KILLED = (*(f"kill -9 of the {name} replica" for name in (*STAGES, "OcrIngress")), "SIGSEGV in all decoders")
SHORT = [fault for fault in faults() if fault.name in KILLED or fault.name.startswith("a model that raises")]
# A machine that is busy with other things takes longer, and loses nothing by it.
PATIENCE_S = 300
LINES = 10


class Target:
    """The cluster of the tests as something to do harm to."""

    def __init__(self, cluster: Cluster, config: Config) -> None:
        self.url = cluster.url
        self.processes = Processes(os.getpid())
        self.config = config
        self._cluster = cluster

    def ready(self) -> bool:
        return is_ready(self.url)

    def apply(self, config: Config) -> None:
        assert self._cluster.deploy(config) == "RUNNING", self._cluster.application()["message"]

    def items_recognised(self) -> int:
        """Lines that have been through the model since its replica started."""
        items: int = self._cluster.status("RecognitionFake").items
        return items


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Target:
    config = with_fakes(cluster.config(), recognition={"step_ms": 20, "faults": HARM})
    config["applications"][0]["args"]["limits"] |= {"request_deadline_s": PATIENCE_S}
    target = Target(cluster, config)
    target.apply(config)
    return target


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_no_request_is_lost_or_read_wrong(target: Target, fault: Fault) -> None:
    with Load(target.url, clients=3, give_up_s=PATIENCE_S) as load:
        fault.inject(target)
    tally = load.take()
    assert (tally.lost, tally.wrong) == (0, 0), tally
    assert tally.requests > 0


def test_hostile_files_and_requests_are_answered_as_meant(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.hostile.campaign.HANG_S", PATIENCE_S)
    monkeypatch.setattr("benchmarks.hostile.http_tricks.TIMEOUT_S", PATIENCE_S)
    decoders = len(target.processes.decoders())
    report = Campaign(target.url, jobs=4).run(300, seed=3, leave_out=SLOW)
    assert report.failures == []
    assert len(target.processes.decoders()) == decoders > 0


def test_no_model_works_for_clients_that_have_vanished(target: Target) -> None:
    """Of forty pages of ten lines each, whose clients leave before an answer can be there."""
    before = target.items_recognised()
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda number: vanish(target.url, page_of([number] * LINES)), range(40)))
    with httpx.Client(base_url=target.url, timeout=PATIENCE_S) as http:
        assert attempt(http, page_of([7]), ["7"]) == "read"
    # The line of the last page is in line behind all that was not withdrawn.
    assert target.items_recognised() - before < 40 * LINES / 2


def vanish(url: str, page: bytes) -> None:
    """Send a request, and go as soon as all of it is sent."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as peer:
        peer.sendall(f"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Length: {len(page)}\r\n\r\n".encode() + page)


def test_no_model_works_for_a_body_that_has_not_come(target: Target) -> None:
    before, page = target.items_recognised(), page_of([7] * LINES)
    parts = urlsplit(target.url)
    with ExitStack() as stack:
        for _ in range(20):
            peer = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
            peer.sendall(f"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Length: {len(page)}\r\n\r\n".encode())
            peer.sendall(page[:-1])
        with httpx.Client(base_url=target.url, timeout=PATIENCE_S) as http:
            assert attempt(http, page_of([7]), ["7"]) == "read"
    assert target.items_recognised() - before == 1


def test_mixed_traffic_and_a_flood_are_answered_rightly_and_leave_nothing_open(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.soak.traffic.GIVE_UP_S", PATIENCE_S)
    (ingress,) = target.processes.replicas("OcrIngress")
    traffic = Traffic(target.url, started_s=time.monotonic())
    with httpx.Client(base_url=target.url, timeout=PATIENCE_S) as http:
        assert attempt(http, page_of([7]), ["7"]) == "read"
        before = ingress.num_fds()
        traffic.clients(3, pause_s=0.0)
        flood(target.url, traffic, rate_per_s=30, seconds=6)
        traffic.clients(0, 0)
        assert attempt(http, page_of([8]), ["8"]) == "read"
    wrong = {name for name in traffic.outcomes if name.startswith(("wrong", "broken"))}
    assert not wrong and traffic.outcomes["read"] > 0, traffic.outcomes
    # Buffers of pages and connections are kept for the next; ten times as many requests have come.
    wait_until(lambda: ingress.num_fds() <= before + 20, PATIENCE_S)
