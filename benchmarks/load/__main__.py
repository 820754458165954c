"""Load and failures on a Ray of its own on this machine, with fake engines of known cost.

python -m benchmarks.load scaling [--short]    letters, then scans: each stage scales by itself
python -m benchmarks.load failures             three nodes under load: one dies, configurations change

Writes a record to benchmarks/results, for scaling with a picture. Exit code 1 if a document was lost
or read wrongly.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchmarks.load import failures, scaling
from benchmarks.load.plot import plot
from benchmarks.records import write_record

_PRINTED = ("documents", "right", "wrong", "lost", "retried", "latency_s", "most_replicas", "replicas_at_end")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    head, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description=head,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", choices=["scaling", "failures"])
    parser.add_argument("--short", action="store_true", help="scaling: under a minute, with quick delays")
    parser.add_argument("--rounds", type=int, default=3, help="failures: how often each happens (3)")
    parser.add_argument("--seed", type=int, default=1, help="of arrivals and of what documents say (1)")
    options = parser.parse_args(arguments)
    if options.run == "failures":
        record = failures.run(options.rounds, options.seed)
        path = write_record("failures", record)
        for event in record["events"]:
            print(json.dumps(event))
    else:
        record = scaling.run(scaling.SHORT if options.short else scaling.LONG, options.seed).as_json()
        path = write_record("scaling", record)
        plot(record, path.with_suffix(".png"))
        for name, phase in record["phases"].items():
            print(name, json.dumps({key: phase[key] for key in _PRINTED}))
    print(f"wrote {path}")
    total = record["total"]
    return 1 if total["lost"] or total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
