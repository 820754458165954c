"""Keys, slow bodies, deadlines and large heads through Serve's own proxy."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from benchmarks.service import wait_until
from serve_app.keys import entry, new_key
from tests.serve.conftest import Cluster, with_fakes
from tests.serve.test_graph import png

KEY = new_key()
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("access") / "keys"
    path.write_text(entry("alice", KEY))
    return path


@pytest.fixture(scope="module")
def service(cluster: Cluster, keys: Path) -> Cluster:
    config = with_fakes(cluster.config())
    (application,) = config["applications"]
    application["args"]["access"] = {"keys": {"file": str(keys)}}
    application["args"]["limits"] |= {"max_body_idle_s": 5}
    assert cluster.deploy(config) == "RUNNING", cluster.application()["message"]
    return cluster


def test_documents_are_read_with_a_key_only(service: Cluster) -> None:
    refused = service.http.post("/ocr", content=png(7))
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="scriptorium"')
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    answer = service.http.post("/ocr?format=text", content=png(7), headers=HEADERS)
    assert (answer.status_code, answer.text) == (200, "7\n")
    assert service.http.get("/readyz").status_code == 200


def test_a_client_s_deadline_is_kept(service: Cluster) -> None:
    late = service.http.post("/ocr", content=png(7), headers=HEADERS | {"Prefer": "wait=0"})
    assert (late.status_code, late.json()["type"]) == (504, "/problems/deadline_exceeded")
    timely = service.http.post("/ocr", content=png(7), headers=HEADERS | {"Prefer": "wait=30"})
    assert (timely.status_code, timely.headers["preference-applied"]) == (200, "wait=30")


def test_a_body_that_pauses_is_given_up_and_its_connection_closed(service: Cluster) -> None:
    head = f"POST /ocr HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=180) as connection:
        connection.sendall(head.encode() + b"half a body")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408") and b"/problems/slow_body" in answer


def test_a_flood_of_headers_is_refused(service: Cluster) -> None:
    answer = service.http.get("/healthz", headers={"X-Flood": "1" * 70_000})
    assert answer.status_code in (400, 431)


def test_a_key_that_is_taken_back_is_good_no_longer(service: Cluster, keys: Path) -> None:
    keys.write_text(entry("bob", new_key()))
    try:
        wait_until(lambda: status_with_key(service) == 401, 180)
    finally:
        keys.write_text(entry("alice", KEY))
    wait_until(lambda: status_with_key(service) == 200, 180)


def status_with_key(service: Cluster) -> int:
    return service.http.post("/ocr", content=png(7), headers=HEADERS).status_code
