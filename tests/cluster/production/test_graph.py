"""The production configuration on two nodes of one logical GPU each."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest

from deployments.fakes import draw_page
from serve_app.draining import VARIABLE
from tests.cluster.production.conftest import POISON, Production
from tests.cluster.production.waiting import wait_for
from tests.pictures import encoded

REQUEST_ID = "the-request-of-this-test"
SECRET = 424242


def png(*values: int) -> bytes:
    return encoded(PIL.Image.fromarray(draw_page(values)))


@pytest.fixture(scope="module")
def answer(production: Production) -> httpx.Response:
    """The answer to one page, with a line that fails on purpose."""
    return production.nodes.http.post(
        "/ocr", content=png(SECRET, POISON), headers={"X-Request-ID": REQUEST_ID}
    )


def test_every_node_carries_one_set_of_replicas(production: Production) -> None:
    """Detection, classification and both recognisers of a node share its GPU: the fractions add up to 1."""
    expected = {
        deployment["name"]: deployment["max_replicas_per_node"]
        for deployment in production.config["applications"][0]["deployments"]
    }

    def sets() -> dict[str, Counter[str]]:
        nodes: dict[str, Counter[str]] = {}
        for name, replicas in production.nodes.replicas().items():
            for replica in replicas:
                nodes.setdefault(replica["node_id"], Counter())[name] += 1
        return nodes

    nodes = wait_for(sets, lambda found: sum(map(Counter.total, found.values())) == 10)
    assert len(nodes) == 2
    assert [dict(each) for each in nodes.values()] == [expected, expected]


def test_a_page_is_read(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    (page,) = answer.json()["pages"]
    assert [region["text"] for region in page["regions"]] == [str(SECRET), None]


def test_probes_of_the_manifests_answer_without_a_token(production: Production) -> None:
    nodes = production.nodes
    assert nodes.dashboard("/api/gcs_healthz", token="").status_code == 200
    assert [answer.status_code for answer in nodes.agent("/api/local_raylet_healthz")] == [200, 200]
    assert nodes.http.get("/-/healthz").status_code == 200


def test_what_runs_on_the_head_knows_where_stopping_is_told(production: Production) -> None:
    """With a single node replicas run there; without this a container that is stopped breaks off what they
    have in hand.
    """
    assert VARIABLE in production.nodes.environment("ray::ServeController")


def test_the_dashboard_wants_the_token(production: Production) -> None:
    for token in ("", "guessed"):
        assert production.nodes.dashboard("/api/serve/applications/", token=token).status_code in (401, 403)
    assert production.nodes.dashboard("/api/serve/applications/").status_code == 200


def records(production: Production, pattern: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in production.nodes.logs(pattern)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_logs_say_which_request_page_and_stage(production: Production, answer: httpx.Response) -> None:
    ours = [r for r in records(production, "*OcrIngress*.log") if r.get("request_id") == REQUEST_ID]
    (read,) = [record for record in ours if record["message"] == "document read"]
    assert (read["pages"], read["regions"]) == (1, 2) and read["spent_ms"] > 0
    (failed,) = [record for record in ours if record["message"] == "items failed"]
    assert (failed["page"], failed["stage"]) == (1, "recognition")
    assert (failed["failed"], failed["items"], failed["codes"]) == (1, 2, "stage_failed")
    failures = [r for r in records(production, "*RecognitionFake*.log") if r["levelname"] == "ERROR"]
    assert any("failed on an item" in record["message"] for record in failures)


def test_no_text_of_a_document_is_logged_or_traced(production: Production, answer: httpx.Response) -> None:
    wait_for(lambda: production.collector.spans, bool)
    logs = {path: path.read_text(encoding="utf-8") for path in production.nodes.logs("*") if path.is_file()}
    assert any(REQUEST_ID in text for text in logs.values())
    assert not [path for path, text in logs.items() if str(SECRET) in text]
    assert not [span for span in production.collector.spans if str(SECRET) in str(span)]


def test_a_trace_goes_from_the_request_to_the_models(production: Production, answer: httpx.Response) -> None:
    def trace() -> dict[str, Any]:
        pages = [span for span in production.collector.spans if span.name == "page"]
        return {span.name: span for page in pages for span in production.collector.trace(page)}

    wanted = {"page", "detection", "crops", "classification", "recognition", "prepare", "model", "finish"}
    spans = wait_for(trace, lambda found: wanted <= found.keys())
    assert spans["detection"].parent_span_id == spans["page"].span_id
    attributes = {each.key: each.value for each in spans["page"].attributes}
    assert attributes["page"].int_value == 1


def test_the_nodes_own_nothing_and_write_only_where_they_may(production: Production) -> None:
    if not production.nodes.jailed:
        pytest.skip("this machine does not allow mount namespaces")
    (replica, _) = production.nodes.replicas()["Detection"]
    lines = Path(f"/proc/{replica['pid']}/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["Uid"].split()[0] == "10001"
    assert int(status["CapEff"], 16) == 0
