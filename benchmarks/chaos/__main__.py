"""Inject every fault into a service with fake engines under load, and print what came of it.

    python -m benchmarks.chaos [--clients 6] [--calm 10] [--only TEXT] [--output FILE]

Then a cluster of three nodes, one of which is killed. Exit code 1 if a request was lost or read wrong,
or the service was not whole again within a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.chaos.clock import Clock
from benchmarks.chaos.faults import HANG, HARM, Fault, Target, end_by_signal, faults, reads
from benchmarks.chaos.load import Load, Tally
from benchmarks.load import failures
from benchmarks.load.background import Traffic
from benchmarks.service import Service, fake_config, wait_until
from cluster.local_nodes import LocalNodes

_HEAD = """| fault | requests | refused + broken, repeated | lost | wrong | whole again, s | slowest, s |
|---|---|---|---|---|---|---|"""

STEP_MS = 20
HEAL_WITHIN_S = 60.0
NODE_FAULT = "kill -9 of a worker node of three"
_HOUR_S = 3600


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=6, help="clients at a time")
    parser.add_argument("--calm", type=float, default=10, help="seconds of load before and after each fault")
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument("--output", type=Path, help="write the table there, too")
    options = parser.parse_args()
    rows, bad = [_HEAD], 0

    def tell(row: str, failed: bool) -> None:
        nonlocal bad
        print(row, flush=True)
        rows.append(row)
        bad += failed

    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(Path(folder))
        chosen = [fault for fault in (*faults(), *_jumps(clock)) if options.only in fault.name]
        with Service(service_config(), clock.environment) as service:
            with Load(service.url, options.clients) as load:
                for fault in chosen:
                    tell(*_inject(fault, service, load, options.calm))
            answers = end_by_signal(service)
    if options.only in NODE_FAULT:
        tell(*_lose_a_node())
    drained = f"\nSIGTERM while {len(answers)} requests are read: {answers.count('read')} answered."
    tell(drained, answers.count("read") != len(answers))
    if not clock.environment:
        tell("\nNo C compiler: the clock did not jump.", False)
    print("\n" + "\n".join(rows))
    if options.output:
        options.output.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return 1 if bad else 0


def service_config() -> dict[str, object]:
    """Fake engines that take some time, and come to harm over a few numbers."""
    recognition = {"step_ms": STEP_MS, "faults": {**HARM, HANG: "hangs"}}
    return fake_config({"recognition": recognition, "detection": {"step_ms": 5}})


def _inject(fault: Fault, service: Service, load: Load, calm_s: float) -> tuple[str, bool]:
    time.sleep(calm_s / 2)
    load.take()
    time.sleep(calm_s / 2)
    started_s = time.monotonic()
    try:
        fault.inject(service)
        healed_s = time.monotonic() - started_s
        healed, late = f"{healed_s:.1f}", healed_s > HEAL_WITHIN_S
    except (AssertionError, TimeoutError) as error:
        healed, late = f"no: {error}", True
    time.sleep(calm_s)
    tally = load.take()
    return _row(fault.name, tally, healed), bool(tally.lost or tally.wrong or late)


def _jumps(clock: Clock) -> Iterator[Fault]:
    """The time of day of all processes: an hour forward, then two back."""

    def jump(service: Target, shift_s: int) -> None:
        clock.set(shift_s)
        wait_until(lambda: reads(service), HEAL_WITHIN_S)

    if clock.environment:
        yield Fault("the clock jumps an hour forward", lambda service: jump(service, _HOUR_S))
        yield Fault("the clock jumps two hours back", lambda service: jump(service, -_HOUR_S))


def _lose_a_node() -> tuple[str, bool]:
    """Three nodes under steady traffic; the one with most replicas dies."""
    with LocalNodes(failures.NODE) as nodes:
        failures.start_nodes(nodes)
        nodes.deploy(failures.config())
        with Traffic(nodes.url, "receipt", failures.DOCUMENTS_PER_S, seed=1) as traffic:
            traffic.wait_for_more(40)
            started_s = time.monotonic()
            failures.kill_a_node(nodes)
            healed_s = time.monotonic() - started_s
            traffic.wait_for_more(40)
    tally = Tally(requests=len(traffic.outcomes))
    for outcome in traffic.outcomes:
        refused = sum(" " in refusal for refusal in outcome.refusals)
        tally.refused += refused
        tally.broken += len(outcome.refusals) - refused
        tally.lost += outcome.lost
        tally.wrong += not (outcome.right or outcome.lost)
        tally.slowest_s = max(tally.slowest_s, outcome.latency_s or 0.0)
    bad = bool(tally.lost or tally.wrong or healed_s > HEAL_WITHIN_S)
    return _row(NODE_FAULT, tally, f"{healed_s:.1f}"), bad


def _row(name: str, tally: Tally, healed: str) -> str:
    strange = f" {tally.strangest}" if tally.strangest else ""
    repeated = f"{tally.refused} + {tally.broken}"
    slowest = f"{tally.slowest_s:.1f}"
    cells = (tally.requests, repeated, tally.lost, f"{tally.wrong}{strange}", healed, slowest)
    return f"| {name} | {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
