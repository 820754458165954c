"""The graph on a real Ray with fake engines: batching, isolation, recovery, live tuning."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest

from benchmarks.service import Processes, wait_until
from deployments.fakes import draw_page
from deployments.types import Kind
from serve_app.launch import is_ready
from tests.pictures import encoded
from tests.serve.conftest import Cluster, Config, with_fakes

POISON = 13


@pytest.fixture(scope="module")
def graph(cluster: Cluster) -> Cluster:
    assert cluster.deploy(config(cluster)) == "RUNNING", cluster.application()["message"]
    return cluster


def config(cluster: Cluster) -> Config:
    return with_fakes(cluster.config(), recognition={"step_ms": 300, "faults": {POISON: "raises"}})


def png(*values: int, kinds: tuple[Kind, ...] = ()) -> bytes:
    return encoded(PIL.Image.fromarray(draw_page(values, kinds)))


def post(cluster: Cluster, *values: int, **more: Any) -> httpx.Response:
    return cluster.http.post("/ocr", content=png(*values, **more))


def texts(answer: httpx.Response) -> list[str | None]:
    assert answer.status_code == 200, answer.text
    (page,) = answer.json()["pages"]
    return [region["text"] for region in page["regions"]]


def test_a_page_is_read_over_http(graph: Cluster) -> None:
    answer = post(graph, 101, 202, kinds=(Kind.PRINTED, Kind.HANDWRITTEN))
    assert texts(answer) == ["101", "202"]
    (page,) = answer.json()["pages"]
    assert [region["kind"] for region in page["regions"]] == ["printed", "handwritten"]
    assert answer.json()["engines"]["detection"] == "fake"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_images_passed_in_shared_memory(graph: Cluster) -> None:
    assert texts(post(graph, 101)) == ["101"]
    (ingress,) = Processes(os.getpid()).replicas("OcrIngress")
    held = []
    for entry in Path(f"/proc/{ingress.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.append(os.readlink(entry))
    # One file a stage: they are kept only when their calls were answered.
    assert sum(name.startswith("/memfd:images") for name in held) >= 3


def test_every_stage_is_a_deployment_of_its_own(graph: Cluster) -> None:
    deployments = graph.application()["deployments"]
    assert set(deployments) == {"OcrIngress", "Detection", "Classification", "RecognitionFake"}
    assert {d["status"] for d in deployments.values()} == {"HEALTHY"}


def test_probes_answer(graph: Cluster) -> None:
    assert graph.http.get("/healthz").status_code == 200
    wait_until(lambda: is_ready(graph.url), 180)


def test_requests_at_the_same_time_share_model_steps(graph: Cluster) -> None:
    before = graph.status("RecognitionFake")
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: post(graph, n), range(500, 512)))
    assert [texts(answer) for answer in answers] == [[str(n)] for n in range(500, 512)]
    after = graph.status("RecognitionFake")
    assert after.items - before.items == 12
    # Nearly all in one step where nothing else runs; on a busy machine they arrive over a few.
    assert after.steps - before.steps <= 6


def test_poisoned_line_harms_nobody_else(graph: Cluster) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda values: post(graph, *values), [(1, 2), (3, POISON, 4), (5,)]))
    assert [texts(answer) for answer in answers] == [["1", "2"], ["3", None, "4"], ["5"]]
    failed = answers[1].json()["pages"][0]["regions"][1]
    assert failed["error"]["code"] == "stage_failed"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"not an image at all", 415), (png(1)[:60], 422)],
    ids=["empty", "not-an-image", "truncated"],
)
def test_bad_input_is_a_problem_and_the_service_goes_on(graph: Cluster, body: bytes, status: int) -> None:
    answer = graph.http.post("/ocr", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"]
    assert texts(post(graph, 7)) == ["7"]


def test_killed_replica_costs_no_request(graph: Cluster) -> None:
    (replica,) = graph.replicas("RecognitionFake")
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(post, graph, n) for n in range(900, 904)]
        time.sleep(0.15)  # the first step takes 0.3 s: the calls are in the replica now
        os.kill(replica["pid"], signal.SIGKILL)
        assert [texts(call.result()) for call in calls] == [[str(n)] for n in range(900, 904)]
    (successor,) = graph.replicas("RecognitionFake")
    assert successor["pid"] != replica["pid"]


def test_threshold_changes_live(graph: Cluster) -> None:
    # The score of a code is the inked share of its box: full for all ones, little for zero.
    full, light = 2**20 - 1, 0
    assert texts(post(graph, full, light)) == [str(full), str(light)]
    changed = config(graph)
    (application,) = changed["applications"]
    for deployment in application["deployments"]:
        if deployment["name"] == "Detection":
            deployment["user_config"]["confidence"] = 0.9
    (before,) = graph.replicas("Detection")
    try:
        assert graph.deploy(changed) == "RUNNING"
        assert texts(post(graph, full, light)) == [str(full)]
        (after,) = graph.replicas("Detection")
        assert after["pid"] == before["pid"]
    finally:
        restored = graph.deploy(config(graph))
    assert restored == "RUNNING"


def test_misspelt_argument_fails_before_traffic(graph: Cluster) -> None:
    wrong = config(graph)
    wrong["applications"][0]["args"]["detection"]["wieghts"] = "yolo-lines"
    try:
        assert graph.deploy(wrong) == "DEPLOY_FAILED"
        assert "detection.wieghts" in graph.application()["message"]
    finally:
        restored = graph.deploy(config(graph))
    assert restored == "RUNNING"
    assert texts(post(graph, 8)) == ["8"]


def test_a_missing_weight_fails_before_traffic_and_is_named(graph: Cluster) -> None:
    broken = config(graph)
    broken["applications"][0]["args"]["detection"] = {"engine": "yolo", "weights": "no-such-weights"}
    assert graph.deploy(broken) == "DEPLOY_FAILED"
    assert "no-such-weights" in str(graph.application()["deployments"]["Detection"])
