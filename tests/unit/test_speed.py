"""The pieces of ``make bench`` around the load, over fake engines: limit, monolith, ratios, report, plots."""

from __future__ import annotations

import io
import json
import urllib.request
from http.client import BadStatusLine
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest

from benchmarks.speed import limit, report, stage_metrics
from benchmarks.speed.__main__ import measure
from benchmarks.speed.client import http_client
from benchmarks.speed.graph import load_engines, read_graph, read_yaml
from benchmarks.speed.load import lone_client
from benchmarks.speed.lone import measure as measure_alone
from benchmarks.speed.monolith import application
from benchmarks.speed.pages import OWN_PAGES, PageFile, PageSet, find_pages
from benchmarks.speed.plots import draw
from benchmarks.speed.ratios import LEAST, MOST, ratios, shortfalls
from benchmarks.speed.systems import SERVE_BATCH, for_device, with_serve_batch
from benchmarks.speed.trial import Plan, Setting, lone_figures
from deployments.batching import BatchLimits
from deployments.engine import Prepared
from deployments.fakes import draw_page
from serve_app.environment import ROOT

CONFIG = read_yaml(ROOT / "serve_config.yaml")
FAKE = {
    "applications": [
        {
            "name": "scriptorium",
            "args": {
                "detection": {"engine": "fake"},
                "classification": {"engine": "fake"},
                "recognition": {
                    "printed": "fake",
                    "handwritten": "fake",
                    "engines": {"fake": {"engine": "fake"}},
                },
            },
        }
    ]
}


def bar_codes(*numbers: int) -> PageFile:
    stream = io.BytesIO()
    PIL.Image.fromarray(draw_page(numbers)).save(stream, "PNG")
    return PageFile(f"{numbers[0]}.png", stream.getvalue())


PAGES = PageSet("codes", (bar_codes(1, 2), bar_codes(3)))


class Ready:
    def wait(self, timeout: float) -> None:
        """One process waits for no other."""


def test_the_limit_runs_every_stage_on_every_page() -> None:
    figures = limit.measure(read_graph(FAKE), PAGES, seconds=0.0, ready=Ready())
    assert figures["pages_s"] > 0
    assert figures["crops_per_page"] == 1.5
    assert set(figures["stages"]) == {"detection", "classification", "recognition"}
    assert figures["stages"]["recognition"]["items_per_batch"] == 3


def test_perfect_batches_are_full_even_and_within_the_limits() -> None:
    items = [Prepared(None, 32, width) for width in (100, 40, 100, 40, 40, 90)]
    batches = limit.perfect_batches(items, BatchLimits(max_items=3, max_pixels=32 * 300, max_padding=0.1))
    assert [[item.width for item in batch] for batch in batches] == [[40, 40, 40], [90, 100, 100]]
    (lone,) = limit.perfect_batches([Prepared(None, 32, 10**6)], BatchLimits(max_pixels=1000))
    assert len(lone) == 1


async def test_the_monolith_answers_as_the_service_does() -> None:
    transport = httpx.ASGITransport(app=application(read_graph(FAKE)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/ocr", content=PAGES.pages[0].data)
    texts = [region["text"] for region in answer.json()["pages"][0]["regions"]]
    assert texts == ["1", "2"]


async def test_load_reaches_a_server_over_the_client() -> None:
    transport = httpx.ASGITransport(app=application(read_graph(FAKE)))
    async with http_client("http://test", transport) as send:
        latencies = await lone_client(send, PAGES.pages, 2)
    assert {page: len(times) for page, times in latencies.items()} == {0: 2, 1: 2}


async def test_a_page_alone_is_timed_through_pipeline_and_stages() -> None:
    times_ms = await measure_alone(read_graph(FAKE), PAGES, rounds=1)
    assert len(times_ms) == 2
    assert min(times_ms) > 0


def test_the_graph_is_that_of_the_configuration() -> None:
    graph = read_graph(CONFIG)
    deployments = {each["name"]: each for each in CONFIG["applications"][0]["deployments"]}
    for stage, name in (("detection", "Detection"), ("recognition", "RecognitionCrnn")):
        assert graph.tunings[stage].batch.model_dump() == deployments[name]["user_config"]["batch"]
    assert (
        load_engines(read_graph(FAKE))["detection"].tuning.batch
        == read_graph(FAKE).tunings["detection"].batch
    )


def test_the_device_reaches_every_stage() -> None:
    config = read_graph(for_device(CONFIG, "cuda")).config
    devices = {config.detection.device, config.classification.device}
    assert devices | {each.device for each in config.recognition.in_use.values()} == {"cuda"}
    assert with_serve_batch(CONFIG)["applications"][0]["import_path"] == SERVE_BATCH


def test_without_labelled_sets_there_are_pages_of_our_own(tmp_path: Path) -> None:
    assert len(find_pages(None).pages) == len(list(OWN_PAGES.iterdir())) >= 5
    with pytest.raises(ValueError, match="no pages"):
        find_pages(tmp_path)
    (tmp_path / "a.png").write_bytes(PAGES.pages[0].data)
    assert [page.name for page in find_pages(tmp_path).pages] == ["a.png"]


METRICS = """\
ray_scriptorium_stage_step_items_sum{deployment="Detection",replica="a"} 30.0
ray_scriptorium_stage_step_items_count{deployment="Detection",replica="a"} 10.0
ray_scriptorium_stage_step_seconds_sum{deployment="Detection",replica="a"} 2.0
ray_scriptorium_stage_step_seconds_count{deployment="Detection",replica="a"} 10.0
ray_scriptorium_stage_step_items_sum{deployment="Idle"} 3.0
ray_scriptorium_stage_step_items_count{deployment="Idle"} 1.0
ray_other_sum{deployment="Detection"} 3.0
"""


def test_steps_between_two_readings_of_the_metrics() -> None:
    before = stage_metrics.samples(METRICS)
    after = dict(before)
    after["Detection", "scriptorium_stage_step_items", "sum"] += 12
    after["Detection", "scriptorium_stage_step_items", "count"] += 2
    after["Detection", "scriptorium_stage_step_seconds", "sum"] += 0.5
    after["Detection", "scriptorium_stage_step_seconds", "count"] += 2
    assert stage_metrics.figures(before, after) == {
        "Detection": {"items_per_step": 6.0, "step_ms": 250.0, "steps": 2.0}
    }


def load(pages_s: float, refused: int = 0) -> dict[str, Any]:
    latency = {"p50": 100.0, "p95": 200.0, "p99": 300.0, "max": 400.0}
    figures = {
        "pages_s": pages_s, "requests": 100, "read": 100 - refused, "refused": refused, "failed": 0,
        "latency_ms": latency, "cpu_ms_per_page": 400.0, "memory_mib": 2000.0,
        "processes": {"ray::ServeReplica:scriptorium:Detection": {"cpu_s": 3.0}, "raylet": {"cpu_s": 1.0}},
        "stages": {
            "Detection": {"items_per_step": 3.0, "padding": 0.1, "step_ms": 200.0, "queue_wait_ms": 50.0}
        },
    }  # fmt: skip
    return {**figures, "refusal_ms": {**latency, "p99": 20.0}} if refused else figures


def trial(setting: Setting) -> dict[str, Any]:
    stage = {"prepare_ms": 40.0, "forward_ms": 60.0, "finish_ms": 10.0}
    return {
        "limit": {"pages_s": 5.0, "cpu_ms_per_page": 380.0, "stages": {"detection": stage}},
        "limit_one_process": {"pages_s": 4.0, "cpu_ms_per_page": 400.0},
        "served": {
            "cold_start_s": 20.0,
            "closed": {"1": load(2.0), "64": load(4.5)},
            "open": {"0.5": {"rate_hz": 2.2, **load(2.2)}},
            "overload": {"rate_hz": 13.5, **load(4.2, refused=60)},
        },
        "monolith": {"cold_start_s": 8.0, **load(1.5)},
        "tesseract": {"skipped": "not installed"},
        "serve_batch": {"cold_start_s": 20.0, **load(3.0)},
        "lone": lone_figures([500.0, 300.0, 420.0], [490.0, 285.0, 408.0]),
    }


@pytest.fixture
def run() -> dict[str, Any]:
    first, both = measure(Setting(CONFIG, PAGES, None, Plan(trials=2)), trial)
    assert (first["trials"], both["trials"]) == (1, 2)
    return both


def test_a_port_that_speaks_no_http_has_no_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers_in_binary(*_: object, **__: object) -> None:
        raise BadStatusLine("PRI")

    monkeypatch.setattr(urllib.request, "urlopen", answers_in_binary)
    assert stage_metrics.read("http://127.0.0.1:1/metrics") is None


def test_ratios_are_taken_within_a_trial_and_compared_with_their_bounds(run: dict[str, Any]) -> None:
    medians = run["ratios"]
    assert medians["served_over_limit"] == pytest.approx(0.9)
    assert medians["served_over_limit_one_process"] == pytest.approx(1.125)
    assert medians["served_over_monolith"] == pytest.approx(3.0)
    assert medians["added_ms"] == 12.0
    assert medians["overload_over_saturation"] == pytest.approx(0.9333)
    assert "served_over_tesseract" not in medians
    assert run["shortfalls"] == []
    worse = {name: 0.5 * least for name, least in LEAST.items()} | {
        name: 2 * most + 1 for name, most in MOST.items()
    }
    assert len(shortfalls(worse)) == len(worse)
    assert ratios(trial(Setting(CONFIG, PAGES, None, Plan())))["refused_share"] == 0.6


def write_record(directory: Path, run: dict[str, Any]) -> Path:
    about = {"measured": "2026-01-02T03:04:05+00:00", "commit": "c0ffee"}
    path = directory / "run.json"
    path.write_text(json.dumps({**about, "machine": {"processor": "P", "cores": 2}, **run}), encoding="utf-8")
    return path


def test_a_run_is_told_and_drawn(run: dict[str, Any], tmp_path: Path) -> None:
    text = report.table(run)
    assert "| throughput over the limit of the engines | 0.9 | 0.9 | 0.9 | >= 0.85 |" in text
    assert "tesseract | not installed" in text
    assert "closed loop, 64 clients" in text
    result = write_record(tmp_path, run | {"ratios": run["ratios"] | {"added_ms": 21.0}})
    told = report.section(result)
    assert "Goals missed: added to a lone request, ms 21 (at most 15)." in told
    assert "(../benchmarks/results/run.png)" in told
    picture = draw(run, tmp_path / "speed.json")
    with PIL.Image.open(picture) as image:
        assert min(image.size) > 800


def test_the_document_shows_the_newest_result() -> None:
    result = report.newest()
    assert report.section(result) in report.DOCUMENT.read_text(encoding="utf-8")
    with PIL.Image.open(result.with_suffix(".png")) as picture:
        assert min(picture.size) > 800
