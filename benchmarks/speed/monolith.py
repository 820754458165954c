"""The OCR service that one writes first: one FastAPI process, one page at a time, one crop at a time.

    python -m benchmarks.speed.monolith CONFIG --port PORT [--threads N]

It has the service's own HTTP side, weights, engines, decoding and assembly; only batching, stages
of their own and Ray are missing. Torch may use every core, as it does by default.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
import uvicorn

from benchmarks.speed.graph import Graph, load_engines, read_graph, read_yaml
from benchmarks.speed.local import one_at_a_time
from serve_app.api import create_api


def application(graph: Graph) -> Any:
    """The ASGI application; the engines are warm when this returns."""
    return create_api(one_at_a_time(graph, load_engines(graph)), graph.config)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    app = application(read_graph(read_yaml(options.config)))
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
