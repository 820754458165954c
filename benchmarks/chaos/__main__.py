"""Inject every fault into a service with fake engines under load, and print what came of it.

    python -m benchmarks.chaos [--clients 6] [--calm 10] [--only TEXT] [--output FILE]

Exit code 1 if a request was lost or read wrong, or the service was not whole again within a minute.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.chaos.faults import HANG, HARM, Fault, end_by_signal, faults
from benchmarks.chaos.load import Load, Tally
from benchmarks.service import Service, fake_config

_HEAD = """| fault | requests | refused + broken, repeated | lost | wrong | whole again, s | slowest, s |
|---|---|---|---|---|---|---|"""

STEP_MS = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=6, help="clients at a time")
    parser.add_argument("--calm", type=float, default=10, help="seconds of load before and after each fault")
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument("--output", type=Path, help="write the table there, too")
    options = parser.parse_args()
    chosen = [fault for fault in faults() if options.only in fault.name]
    rows, bad = [_HEAD], 0
    with Service(service_config()) as service:
        with Load(service.url, options.clients) as load:
            for fault in chosen:
                row, failed = _inject(fault, service, load, options.calm)
                print(row, flush=True)
                rows.append(row)
                bad += failed
        answers = end_by_signal(service)
    rows.append(f"\nSIGTERM while {len(answers)} requests are read: {answers.count('read')} answered.")
    bad += answers.count("read") != len(answers)
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
        healed = f"{time.monotonic() - started_s:.1f}"
    except (AssertionError, TimeoutError) as error:
        healed = f"no: {error}"
    time.sleep(calm_s)
    tally = load.take()
    return _row(fault.name, tally, healed), bool(tally.lost or tally.wrong or healed.startswith("no"))


def _row(name: str, tally: Tally, healed: str) -> str:
    strange = f" {tally.strangest}" if tally.strangest else ""
    repeated = f"{tally.refused} + {tally.broken}"
    slowest = f"{tally.slowest_s:.1f}"
    cells = (tally.requests, repeated, tally.lost, f"{tally.wrong}{strange}", healed, slowest)
    return f"| {name} | {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
