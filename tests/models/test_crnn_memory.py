"""Memory of the CRNN over batches of many shapes, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

# Shapes differ in both sides, as batches of lines do.
_SHAPES, _SETTLED = 30, 10
_GROWTH_MAX_MIB = 25.0

_SCRIPT = f"""
import json, os
import numpy as np
from benchmarks.long_document import memory_of
from deployments.engine import Prepared
from deployments.recognition.config import RecognitionArgs
from deployments.recognition.engines import build_engine

engine = build_engine(RecognitionArgs())
engine.warm_up()
height = engine.line_format.height_px
sizes = []
for number in range({_SHAPES}):
    count, width = 2 + number % 7, 320 + 32 * (number % 11)
    engine.forward([Prepared(np.zeros((height, width), np.float32), height, width)] * count)
    sizes.append(memory_of(os.getpid()).anonymous_mib)
print(json.dumps(sizes))
"""


def test_memory_does_not_grow_with_the_shapes_of_batches() -> None:
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    sizes = json.loads(ran.stdout.splitlines()[-1])
    assert sizes[-1] - sizes[_SETTLED] < _GROWTH_MAX_MIB, sizes
