"""What every tier shares: processes that tests start must never reach for the network."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Before any test module imports a library that reads these once. The shell may override them.
for name, value in {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray starts its workers at 15, where they hardly run beside anything else that computes.
    "RAY_worker_niceness": "0",
    # A proxy that is slow to start is killed after 5 s, again and again.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    # Ray reads these when it is imported, by whichever test comes first.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}.items():
    os.environ.setdefault(name, value)
# Ray's own processes import the autoscaling policy that a configuration names, and inherit this.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

# How long an example takes tells of the machine and not of the code; every run sees the same examples.
settings.register_profile(
    "everywhere", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("everywhere")
