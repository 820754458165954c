"""Run the scaling load and write what happened: ``python -m cluster.load [--short] [--seed N]``.

Starts a Ray of its own on this machine, with fake engines of known cost. Exit code 1 if a document
was lost or read wrongly.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchmarks.records import write_record
from cluster.load.plot import plot
from cluster.load.scaling import LONG, SHORT, run

_PRINTED = ("documents", "right", "wrong", "lost", "retried", "latency_s", "most_replicas", "replicas_at_end")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster.load", description=__doc__)
    parser.add_argument("--short", action="store_true", help="under a minute, with quick delays")
    parser.add_argument("--seed", type=int, default=1, help="of arrivals and of what documents say")
    options = parser.parse_args(arguments)
    result = run(SHORT if options.short else LONG, options.seed)
    record = result.as_json()
    path = write_record("scaling", record)
    plot(record, path.with_suffix(".png"))
    for name, phase in record["phases"].items():
        print(name, json.dumps({key: phase[key] for key in _PRINTED}))
    print(f"wrote {path} and its picture")
    total = record["total"]
    return 1 if total["lost"] or total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
