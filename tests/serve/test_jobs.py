"""Jobs on a real Ray with fake engines: the ingress replica dies in the middle, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as PillowImage

from deployments.fakes import draw_page
from tests.pictures import encoded
from tests.serve.conftest import Cluster, with_fakes, with_jobs_in

PAGES = 16
IN_FLIGHT = 2
TIMEOUT_S = 300.0


@pytest.fixture
def graph(cluster: Cluster, tmp_path: Path) -> Cluster:
    config = with_fakes(cluster.config(), recognition={"step_ms": 250})
    jobs = {"lease_s": 3, "pages_in_flight": IN_FLIGHT}
    deployed = cluster.deploy(with_jobs_in(config, tmp_path, **jobs))
    assert deployed == "RUNNING", cluster.application()["message"]
    return cluster


def document() -> bytes:
    """A TIFF whose pages say 1000, 1001, ..."""
    pages = [PillowImage.fromarray(draw_page([1000 + number])) for number in range(PAGES)]
    return encoded(pages[0], "TIFF", compression="tiff_lzw", save_all=True, append_images=pages[1:])


def until(graph: Cluster, path: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask for a job until it is as wanted; a service between two replicas may refuse meanwhile."""
    deadline_s = time.monotonic() + TIMEOUT_S
    view: dict[str, Any] = {}
    while time.monotonic() < deadline_s:
        try:
            answer = graph.http.get(path)
        except httpx.TransportError:
            continue
        if answer.status_code == 200:
            view = answer.json()
            if wanted(view):
                return view
        time.sleep(0.05)
    raise TimeoutError(view)


def test_a_job_survives_the_death_of_its_ingress_replica(graph: Cluster) -> None:
    before = graph.status("RecognitionFake").items
    taken = graph.http.post("/jobs", content=document())
    assert taken.status_code == 202, taken.text
    path = taken.headers["location"]
    (replica,) = graph.replicas("OcrIngress")

    begun = until(graph, path, lambda job: job["progress"]["pages_done"] >= 2)
    os.kill(replica["pid"], signal.SIGKILL)
    assert begun["status"] == "running"

    done = until(graph, path, lambda job: job["finished_at"] is not None)
    assert (done["status"], done["progress"]) == ("succeeded", {"pages_done": PAGES, "page_count": PAGES})
    result = graph.http.get(f"{path}/result").json()
    assert [page["text"] for page in result["pages"]] == [str(1000 + number) for number in range(PAGES)]
    assert [page["page"] for page in result["pages"]] == list(range(1, PAGES + 1))
    (successor,) = graph.replicas("OcrIngress")
    assert successor["pid"] != replica["pid"]
    # Only what was in the stages when the replica died is read twice.
    read = graph.status("RecognitionFake").items - before
    assert PAGES <= read <= PAGES + IN_FLIGHT + 1

    assert graph.http.delete(path).status_code == 204
    assert graph.http.get(path).status_code == 404
