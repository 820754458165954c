"""Mixed traffic for a long time, ten times as much for a while, and then as before; prints tables.

    python -m benchmarks.soak [--minutes 30] [--overload 5] [--clients 3] [--output FILE]

Exit code 1 if an answer was wrong or a connection broke.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.service import Service, fake_config
from benchmarks.soak.flood import flood
from benchmarks.soak.traffic import Sample, Traffic
from benchmarks.soak.watch import Reading, Watch, slope_a_minute

# What filling caches and pools takes; growth is told of the time after it.
SETTLED_AFTER_S = 90.0
PAUSE_S = 0.7
OVERLOAD_TIMES = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30, help="of mixed traffic")
    parser.add_argument("--overload", type=float, default=5, help="minutes of ten times as many clients")
    parser.add_argument("--clients", type=int, default=3, help="clients at a time")
    parser.add_argument("--output", type=Path, help="write the tables there, too")
    options = parser.parse_args()
    behaviour = {"recognition": {"step_ms": 15, "item_ms": 1}, "detection": {"step_ms": 10}}
    with Service(fake_config(behaviour)) as service:
        started_s = time.monotonic()
        traffic = Traffic(service.url, started_s)
        with Watch(service.processes, started_s) as watch:
            traffic.clients(options.clients, PAUSE_S)
            ends_s = [_wait(options.minutes, started_s)]
            rate_per_s = OVERLOAD_TIMES * sum(traffic.outcomes.values()) / ends_s[0]
            with ThreadPoolExecutor(1) as pool:
                flooding = pool.submit(flood, service.url, traffic, rate_per_s, options.overload * 60)
                ends_s.append(_wait(options.overload, started_s))
                ends_s.append(_wait(max(1, options.overload / 2), started_s))
                sent_per_s = flooding.result()
            traffic.clients(0, 0)
    text = "\n\n".join(
        [
            _latencies(traffic.samples, ends_s),
            _growth(watch.readings, ends_s[0]),
            _outcomes(traffic, rate_per_s / OVERLOAD_TIMES, sent_per_s),
        ]
    )
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    return int(any(name.startswith(("wrong", "broken")) for name in traffic.outcomes))


def _wait(minutes: float, started_s: float) -> float:
    time.sleep(minutes * 60)
    return time.monotonic() - started_s


def _latencies(samples: Sequence[Sample], ends_s: Sequence[float]) -> str:
    """Latency of single pages by spans of the run; refusals are counted, and told how long they took."""
    settled_s, normal_s, overload_s, end_s = min(SETTLED_AFTER_S, ends_s[0] / 4), *ends_s
    middle_s = (settled_s + normal_s) / 2
    spans = [
        ("first half", settled_s, middle_s),
        ("second half", middle_s, normal_s),
        (f"{OVERLOAD_TIMES} times as much besides", normal_s, overload_s),
        ("first 10 s after", overload_s, overload_s + 10),
        ("10 to 30 s after", overload_s + 10, overload_s + 30),
        ("later", overload_s + 30, end_s),
    ]
    rows = [
        "| traffic | pages read | p50, ms | p95, ms | p99, ms | refused | p95 until told, ms |",
        f"|{'---|' * 7}",
    ]
    for name, start_s, stop_s in spans:
        within = [(kind, ms) for at_s, kind, ms in samples if start_s <= at_s < stop_s]
        read = [ms for kind, ms in within if kind == "page"]
        refused = [ms for kind, ms in within if kind == "refused"]
        cells = [*_quantiles(read, 50, 95, 99), str(len(refused)), *_quantiles(refused, 95)]
        rows.append(f"| {name} | {len(read)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _quantiles(values: Sequence[float], *percents: int) -> list[str]:
    if len(values) < 2:
        return ["" for _ in percents]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return [f"{cuts[percent - 1]:.0f}" for percent in percents]


def _growth(readings: dict[str, list[Reading]], normal_s: float) -> str:
    rows = [
        "| process | start, MiB of its own | end | growth, MiB a minute | in the second half | descriptors |",
        f"|{'---|' * 6}",
    ]
    for name, all_readings in readings.items():
        normal = [one for one in all_readings if min(SETTLED_AFTER_S, normal_s / 4) <= one.at_s <= normal_s]
        if not normal:
            continue
        slope, last = slope_a_minute(normal), all_readings[-1]
        descriptors = f"{normal[0].descriptors} to {last.descriptors}"
        later = slope_a_minute(normal[len(normal) // 2 :])
        memory = f"{normal[0].own_mib:.0f} | {last.own_mib:.0f} | {slope:+.2f} | {later:+.2f}"
        rows.append(f"| {name} | {memory} | {descriptors} |")
    return "\n".join(rows)


def _outcomes(traffic: Traffic, usual_per_s: float, flood_per_s: float) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in traffic.outcomes.most_common())
    rates = f"{usual_per_s:.1f} requests a second, and {flood_per_s:.1f} more in the overload."
    return f"{rates} Answers: {counted}."


if __name__ == "__main__":
    sys.exit(main())
