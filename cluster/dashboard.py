"""The Grafana dashboard, written from the metric names in ``deployments.instruments``.

Rows from the outside in: requests, then one row a stage (Grafana repeats it for every deployment
that reports), autoscaling, machines. ``python -m cluster.render`` writes the file.
"""

from __future__ import annotations

import json
from typing import Any

from cluster import platform_panels as platform
from cluster.panels import Grid, Panel, Query, stat, timeseries
from cluster.promql import APPLICATION, mean, quantile, quantiles, rate
from deployments import instruments

OUR_REFUSALS = 'code=~"overloaded|stage_unavailable"'
OUR_ERRORS = 'code=~"internal|service_error|stage_failed"'
# What /readyz answers to probes is no answer to a request for a reading.
NOT_OF_PROBES = 'code!="not_ready"'
ONE_STAGE = 'deployment="$stage"'


DOCUMENTS = f"sum(rate({instruments.DOCUMENT_SECONDS.series}_count[$__rate_interval]))"


def _share_of_requests(labels: str) -> str:
    some, all_problems = rate(instruments.PROBLEMS, labels), rate(instruments.PROBLEMS, NOT_OF_PROBES)
    # Nothing may have been read yet while everything fails.
    return f"({some} or vector(0)) / (({DOCUMENTS} or vector(0)) + ({all_problems} or vector(0)))"


def overview() -> list[Panel]:
    """Six figures, read from across the room."""
    healthy = f"sum(ray_serve_deployment_replica_healthy{{{APPLICATION}}})"
    return [
        stat("Pages a second", rate(instruments.PAGES), "short"),
        stat("Documents a second", DOCUMENTS, "short"),
        stat("Document, p95", quantile(0.95, instruments.DOCUMENT_SECONDS), "s", (20, 45)),
        stat("Refused (503)", _share_of_requests(OUR_REFUSALS), "percentunit", (0.01, 0.05)),
        stat("Internal errors", _share_of_requests(OUR_ERRORS), "percentunit", (0.001, 0.01)),
        stat("Healthy replicas", healthy, "short"),
    ]


def requests() -> list[Panel]:
    """What clients see."""
    read = Query(DOCUMENTS, "read")
    problems = Query(rate(instruments.PROBLEMS, by="code"), "{{code}}")
    regions = Query(rate(instruments.REGIONS, by="kind"), "{{kind}}")
    return [
        timeseries("Requests by result", [read, problems], "reqps", stacked=True),
        timeseries("Time of a document", quantiles(instruments.DOCUMENT_SECONDS), "s"),
        timeseries(
            "Time of a page by stage, waiting included (mean; classification and recognition overlap)",
            [Query(mean(instruments.PAGE_STAGE_SECONDS, by="stage"), "{{stage}}")],
            "s",
            stacked=True,
        ),
        timeseries("Lines found by kind", [regions], "cps", stacked=True),
        timeseries(
            "Failures of regions, pages and documents",
            [Query(rate(instruments.FAILURES, by="scope, code"), "{{scope}}: {{code}}")],
            "cps",
        ),
        timeseries(
            "Calls that stages did not take",
            [Query(rate(instruments.STAGE_REFUSALS, by="stage, reason"), "{{stage}}: {{reason}}")],
            "cps",
        ),
        timeseries(
            "Documents at the ingress",
            [Query(f"sum by (state) ({instruments.DOCUMENTS.series})", "{{state}}")],
            "short",
            stacked=True,
        ),
        timeseries("Wait of a document for its turn", quantiles(instruments.TURN_WAIT_SECONDS), "s"),
        timeseries(
            "Documents refused at once; decoders that ended",
            [
                Query(rate(instruments.DOCUMENT_REFUSALS), "refused: would be late"),
                Query(rate(instruments.DECODERS_ENDED, by="end"), "decoder {{end}}"),
            ],
            "cps",
        ),
        *platform.edge(),
    ]


def jobs() -> list[Panel]:
    """The store of jobs, of which every ingress replica tells the same, and what failed in each."""
    return [
        timeseries(
            "Jobs by state", [Query(f"max by (state) ({instruments.JOBS.series})", "{{state}}")], "short"
        ),
        timeseries(
            "Wait of the oldest queued job",
            [Query(f"max({instruments.JOBS_OLDEST_WAIT_SECONDS.series})", "oldest")],
            "s",
        ),
        timeseries(
            "Space of jobs",
            [Query(f"max by (state) ({instruments.JOBS_BYTES.series})", "{{state}}")],
            "bytes",
        ),
        timeseries("Jobs that failed", [Query(rate(instruments.JOB_FAILURES, by="code"), "{{code}}")], "cps"),
    ]


def one_stage() -> list[Panel]:
    """A stage from its queue to its card."""
    items = Query(rate(instruments.ITEMS, ONE_STAGE, by="result"), "{{result}}")
    steps = f"sum(rate({instruments.STEP_PIXELS.series}_count{{{ONE_STAGE}}}[$__rate_interval]))"
    pixels = rate(instruments.PIXELS, ONE_STAGE)
    answered = rate(instruments.ITEMS, ONE_STAGE)
    busy = rate(instruments.BUSY_SECONDS, ONE_STAGE, by="replica")
    memory = f"{instruments.GPU_MEMORY_BYTES.series}{{{ONE_STAGE}}}"
    return [
        timeseries("Items by result", [items], "cps", stacked=True),
        timeseries("Wait for the model", quantiles(instruments.WAIT_SECONDS, ONE_STAGE), "s"),
        timeseries("Time of a model step", quantiles(instruments.STEP_SECONDS, ONE_STAGE), "s"),
        timeseries(
            "Share of its time that a replica's model works", [Query(busy, "{{replica}}")], "percentunit"
        ),
        timeseries(
            "Items in a step",
            [
                # Of counters: Ray makes up the sum of a histogram.
                Query(f"{answered} / {steps}", "mean"),
                Query(quantile(0.95, instruments.STEP_ITEMS, ONE_STAGE), "p95"),
            ],
            "short",
        ),
        timeseries(
            "Cost of a step, pixels",
            [
                Query(f"{pixels} / {steps}", "mean"),
                Query(pixels, "a second, all replicas"),
            ],
            "short",
        ),
        timeseries(
            "Padding, share of a step",
            [Query(mean(instruments.STEP_PADDING, ONE_STAGE), "mean")],
            "percentunit",
        ),
        timeseries("GPU memory of a replica", [Query(memory, "{{replica}} {{state}}")], "bytes"),
    ]


def build() -> dict[str, Any]:
    """The whole dashboard as Grafana reads it."""
    grid = Grid()
    grid.row("Overview")
    grid.add(overview(), width=4, height=4)
    grid.row("Requests")
    grid.add(requests(), width=8, height=8)
    grid.row("$stage", repeat="stage")
    grid.add(one_stage(), width=6, height=7)
    grid.row("Jobs")
    grid.add(jobs(), width=6, height=7)
    grid.row("Autoscaling")
    grid.add(platform.autoscaling(), width=6, height=7)
    grid.row("Machines")
    grid.add(platform.machines(), width=8, height=7)
    stages = f"label_values({instruments.ITEMS.series}, deployment)"
    return {
        "uid": "scriptorium",
        "title": "Scriptorium",
        "tags": ["scriptorium"],
        "editable": False,
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "graphTooltip": 1,
        "templating": {
            "list": [
                {
                    "name": "stage",
                    "type": "query",
                    "label": "Stage",
                    "datasource": {"type": "prometheus", "uid": "prometheus"},
                    "query": {"query": stages, "refId": "stage"},
                    "refresh": 2,
                    "sort": 1,
                    "multi": True,
                    "includeAll": True,
                    "current": {"text": ["All"], "value": ["$__all"]},
                }
            ]
        },
        "annotations": {"list": []},
        "panels": grid.panels,
    }


def text() -> str:
    """The file."""
    return json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
