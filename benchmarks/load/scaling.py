"""The scaling run: stages of known cost on a Ray of its own, three phases of traffic, what scaled when.

Letters by hand load recognition, large scans load detection; between them and after them all is
quiet. Costs are chosen so that each load needs about three replicas of its stage and well under one
of the other, whatever the machine: a fake engine sleeps instead of computing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from benchmarks.load.runner import Outcome, Runner, summary
from benchmarks.load.traffic import Phase, arrivals
from cluster.fake_graph import RECOGNITION, Config, deployment, local_config, with_fakes
from cluster.local_nodes import LocalNodes

STAGES = ("Detection", "Classification", RECOGNITION)
MAX_REPLICAS = 4
# Steps of half a second to two.
MAX_ITEMS = {"Detection": 2, "Classification": 16, RECOGNITION: 16}
_SAMPLE_S = 0.5

# A letter: 24 lines of about 4,500 pixels cost recognition 0.97 s, its 0.24 megapixels cost detection
# 0.17 s. A scan: 1.4 megapixels cost detection 0.98 s, its line costs recognition 40 ms. Few and dear
# documents, for what they cost the ingress is real.
DETECTION_MEGAPIXEL_MS = 700.0
RECOGNITION_MEGAPIXEL_MS = 9000.0
LETTERS_PER_S = 2.5
SCANS_PER_S = 2.5
QUIET_PER_S = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Length of the phases and quickness of the autoscaler, seconds."""

    loaded_s: float
    quiet_s: float
    look_back_s: float
    report_s: float
    upscale_s: float
    downscale_s: float
    drain_s: float


# The long run has the delays of production but for scaling down, which takes it five minutes there.
LONG = Pace(100, 75, look_back_s=15, report_s=5, upscale_s=5, downscale_s=30, drain_s=10)
SHORT = Pace(14, 8, look_back_s=4, report_s=1, upscale_s=1, downscale_s=3, drain_s=4)


def phases(pace: Pace) -> list[Phase]:
    """Letters, quiet, scans, quiet."""
    both = {"letter": 1.0, "scan": 1.0}

    def phase(name: str, length_s: float, documents_per_s: float, mix: Mapping[str, float]) -> Phase:
        rates = (documents_per_s, documents_per_s)
        return Phase(name=name, duration_s=length_s, documents_per_s=rates, mix=mix)

    return [
        phase("letters", pace.loaded_s, LETTERS_PER_S, {"letter": 1}),
        phase("quiet", pace.quiet_s, QUIET_PER_S, both),
        phase("scans", pace.loaded_s, SCANS_PER_S, {"scan": 1}),
        phase("quiet again", pace.quiet_s, QUIET_PER_S, both),
    ]


def config(pace: Pace) -> Config:
    """serve_config.yaml with engines of known cost, room to scale, and the pace of the run."""
    changed = with_fakes(
        local_config(),
        detection={"megapixel_ms": DETECTION_MEGAPIXEL_MS},
        recognition={"megapixel_ms": RECOGNITION_MEGAPIXEL_MS},
    )
    for name in STAGES:
        block = deployment(changed, name)
        # A replica that may take many calls hoards what comes before the next replica is there.
        block["max_ongoing_requests"] = 8
        block["max_queued_requests"] = 256
        block["user_config"]["batch"]["max_items"] = MAX_ITEMS[name]
        block["autoscaling_config"] |= {
            "max_replicas": MAX_REPLICAS,
            "look_back_period_s": pace.look_back_s,
            "metrics_interval_s": pace.report_s,
            "upscale_delay_s": pace.upscale_s,
            "downscale_delay_s": pace.downscale_s,
        }
        block["autoscaling_config"]["policy"]["policy_kwargs"]["drain_s"] = pace.drain_s
    return changed


@dataclass(frozen=True, slots=True)
class Sample:
    """Running replicas of each stage, seconds after the traffic began."""

    at_s: float
    replicas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of every document, and how many replicas there were meanwhile."""

    pace: Pace
    seed: int
    outcomes: Sequence[Outcome]
    samples: Sequence[Sample]

    def peak(self, stage: str, phase: str) -> int:
        """Most replicas that a stage had during a phase and the start-up time of one after it."""
        begin_s, end_s = self.span_s(phase)
        seen = [sample.replicas[stage] for sample in self.samples if begin_s <= sample.at_s < end_s]
        return max(seen)

    def last(self, stage: str, phase: str) -> int:
        """Replicas of a stage at the end of a phase."""
        _, end_s = self.span_s(phase)
        return [sample.replicas[stage] for sample in self.samples if sample.at_s < end_s][-1]

    def span_s(self, phase: str) -> tuple[float, float]:
        """When a phase begins and ends."""
        begin_s = 0.0
        for each in phases(self.pace):
            if each.name == phase:
                return begin_s, begin_s + each.duration_s
            begin_s += each.duration_s
        raise KeyError(phase)

    def as_json(self) -> dict[str, Any]:
        """Everything, for the results file."""
        by_phase = {
            each.name: {
                **each.model_dump(exclude={"name"}),
                **summary([o for o in self.outcomes if o.arrival.phase == each.name]),
                "most_replicas": {stage: self.peak(stage, each.name) for stage in STAGES},
                "replicas_at_end": {stage: self.last(stage, each.name) for stage in STAGES},
            }
            for each in phases(self.pace)
        }
        return {
            "seed": self.seed,
            "pace": asdict(self.pace),
            "cost_ms_per_megapixel": {
                "Detection": DETECTION_MEGAPIXEL_MS,
                RECOGNITION: RECOGNITION_MEGAPIXEL_MS,
            },
            "total": summary(self.outcomes),
            "phases": by_phase,
            "replicas": [{"at_s": round(sample.at_s, 1), **sample.replicas} for sample in self.samples],
            "documents": [
                {
                    "at_s": round(outcome.arrival.at_s, 3),
                    "kind": outcome.arrival.kind,
                    "latency_s": None if outcome.latency_s is None else round(outcome.latency_s, 3),
                }
                for outcome in self.outcomes
            ],
        }


def run(pace: Pace, seed: int) -> Result:
    """Start Ray with fakes, send the traffic, stop Ray."""
    # More logical CPUs than the machine has: fakes sleep, and placement is not what is tried here.
    with LocalNodes({"num_cpus": 8}) as nodes:
        nodes.deploy(config(pace))
        return asyncio.run(_drive(nodes, pace, seed))


async def _drive(nodes: LocalNodes, pace: Pace, seed: int) -> Result:
    samples: list[Sample] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=nodes.url, timeout=120, limits=limits) as http:
        observer = asyncio.create_task(_observe(nodes, samples))
        try:
            outcomes = await Runner(http, seed).run(arrivals(phases(pace), seed))
            end_s = sum(phase.duration_s for phase in phases(pace))
            while samples[-1].at_s < end_s:
                await asyncio.sleep(_SAMPLE_S)
        finally:
            observer.cancel()
    return Result(pace, seed, outcomes, samples)


async def _observe(nodes: LocalNodes, samples: list[Sample]) -> None:
    begun_s = time.monotonic()
    while True:
        replicas = await asyncio.to_thread(nodes.counts)
        samples.append(Sample(time.monotonic() - begun_s, replicas))
        await asyncio.sleep(_SAMPLE_S)
