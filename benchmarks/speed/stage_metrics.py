"""What the stages say of their steps: read from the Prometheus page of the node that serves."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException

import psutil

from benchmarks.processes import command
from deployments.instruments import STEP_ITEMS, STEP_PADDING, STEP_SECONDS, WAIT_SECONDS

_SAMPLE = re.compile(r"^ray_(?P<name>\w+)_(?P<part>sum|count)\{(?P<labels>[^}]*)\} (?P<value>\S+)", re.M)
_DEPLOYMENT = re.compile(r'deployment="(?P<name>[^"]+)"')
_FIGURES = {
    STEP_ITEMS.name: "items_per_step",
    STEP_PADDING.name: "padding",
    STEP_SECONDS.name: "step_ms",
    WAIT_SECONDS.name: "queue_wait_ms",
}
_MILLISECONDS = {STEP_SECONDS.name, WAIT_SECONDS.name}

Samples = dict[tuple[str, str, str], float]


def find_page(processes: Sequence[psutil.Process]) -> str | None:
    """The address at which Ray's agent among ``processes`` shows metrics; None where there is none."""
    for process in processes:
        if not any("dashboard/agent" in word or "DashboardAgent" in word for word in command(process)):
            continue
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    url = f"http://127.0.0.1:{connection.laddr.port}/metrics"
                    if "ray_" in (read(url) or ""):
                        return url
    return None


def read(url: str) -> str | None:
    """The page at ``url``; None where there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError, HTTPException):  # the last where a port of Ray's speaks something else
        return None


def samples(page: str) -> Samples:
    """Sums and counts of the stages' histograms by deployment, metric and part, over all replicas."""
    found: Samples = {}
    for sample in _SAMPLE.finditer(page):
        deployment = _DEPLOYMENT.search(sample["labels"])
        if sample["name"] in _FIGURES and deployment:
            key = deployment["name"], sample["name"], sample["part"]
            found[key] = found.get(key, 0.0) + float(sample["value"])
    return found


def figures(before: Samples, after: Samples) -> dict[str, dict[str, float]]:
    """Means over the steps between two readings, by deployment; of those with steps in between."""
    stages: dict[str, dict[str, float]] = {}
    for deployment, metric, part in after:
        if part != "count":
            continue
        steps = _difference(before, after, (deployment, metric, "count"))
        if steps <= 0:
            continue
        mean = _difference(before, after, (deployment, metric, "sum")) / steps
        stage = stages.setdefault(deployment, {})
        stage[_FIGURES[metric]] = 1000 * mean if metric in _MILLISECONDS else mean
        stage["steps"] = steps
    return stages


def _difference(before: Samples, after: Samples, key: tuple[str, str, str]) -> float:
    return after.get(key, 0.0) - before.get(key, 0.0)
