"""Faults under load, and hostile files, on a real Ray; `make chaos` and `make hostile` have more of both."""

from __future__ import annotations

import os

import pytest

from benchmarks.chaos.faults import HARM, STAGES, Fault, faults
from benchmarks.chaos.load import Load
from benchmarks.hostile.campaign import Campaign
from benchmarks.hostile.curated import SLOW
from benchmarks.service import Processes, is_ready
from tests.serve.conftest import Cluster, with_fakes

KILLED = (*(f"kill -9 of the {name} replica" for name in (*STAGES, "OcrIngress")), "SIGSEGV in all decoders")
SHORT = [fault for fault in faults() if fault.name in KILLED or fault.name.startswith("a model that raises")]


class Target:
    """The cluster of the tests as something to do harm to."""

    def __init__(self, cluster: Cluster) -> None:
        self.url = f"http://127.0.0.1:{cluster.port}"
        self.processes = Processes(os.getpid())

    def ready(self) -> bool:
        return is_ready(self.url)


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Target:
    config = with_fakes(cluster.config(), recognition={"step_ms": 20, "faults": HARM})
    assert cluster.deploy(config) == "RUNNING", cluster.application()["message"]
    return Target(cluster)


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_no_request_is_lost_or_read_wrong(target: Target, fault: Fault) -> None:
    with Load(target.url, clients=3) as load:
        fault.inject(target)
    tally = load.take()
    assert (tally.lost, tally.wrong) == (0, 0), tally
    assert tally.requests > 0


def test_hostile_files_and_requests_are_answered_as_meant(target: Target) -> None:
    decoders = len(target.processes.decoders())
    report = Campaign(target.url, jobs=4).run(300, seed=3, leave_out=SLOW)
    assert report.failures == []
    assert len(target.processes.decoders()) == decoders > 0
