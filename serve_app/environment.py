"""Environment variables of ``serve run`` on one machine, with the reason of each.

A variable that is already set wins over what stands here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Ray is tuned for clusters of thousands of tasks a second; one machine at rest need not wake that
# often (docs/decisions/0005-idle-cost.md has what each costs).
QUIET_RAY = {
    # A cluster of its own, not one that happens to run on this machine.
    "RAY_ADDRESS": "local",
    # Ray's control service listens on every interface of the machine and runs what it is sent: only
    # who holds the token in ~/.ray/auth_token, which Ray makes, may talk to it.
    "RAY_AUTH_MODE": "token",
    # No usage report leaves the machine.
    "RAY_USAGE_STATS_ENABLED": "0",
    # The controller compares wanted and running replicas once a second instead of ten times.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "1",
    # Serve's processes hand over their cached metrics every 5 s; Prometheus scrapes every 10 s or more.
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
    # The node reports its free resources every second instead of every 100 ms: one node, few actors.
    "RAY_raylet_report_resources_period_milliseconds": "1000",
    # The dashboard samples its own processes every minute and the workers' every 15 s.
    "METRICS_RECORD_INTERVAL_S": "60",
    "REPORTER_UPDATE_INTERVAL_MS": "15000",
    # No statistics of every event of Ray's own loops; they only feed its debug_state files.
    "RAY_event_stats": "0",
    # Free memory is looked at every second, four times less often; it still guards against exhaustion.
    "RAY_memory_monitor_refresh_ms": "1000",
    # The dashboard's agent looks every 5 s whether its node lives.
    "RAY_DASHBOARD_AGENT_CHECK_PARENT_INTERVAL_S": "5",
    # Look for new log files every half second instead of at every turn of the log monitor.
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
}

# A replica that hangs is not asked to finish first: what it has in hand is sent to its successor.
HEALING = {"RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1", "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "3"}

# Weights are in the repository: nothing may be fetched while serving, nor tried and waited for.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "YOLO_OFFLINE": "1",
}

# ultralytics installs what it misses with pip at run time; the environment is complete without it.
ALWAYS = {"YOLO_AUTOINSTALL": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


THIS_MACHINE = ("127.0.0.1", "localhost")


def environment(base: Mapping[str, str], *, hub: bool = False) -> dict[str, str]:
    """Environment of ``serve run``: ``base`` wins over all defaults; ``hub`` allows downloads."""
    path = os.pathsep.join(filter(None, (str(ROOT), base.get("PYTHONPATH"))))
    always = {"PYTHONPATH": path, **_not_by_proxy(base)}
    return {**QUIET_RAY, **HEALING, **ALWAYS, **({} if hub else OFFLINE), **base, **always}


def _not_by_proxy(base: Mapping[str, str]) -> dict[str, str]:
    """A proxy for the outside is not asked for this machine, where Ray's parts talk HTTP to each other."""
    excepted = base.get("no_proxy") or base.get("NO_PROXY")
    names = ",".join(filter(None, (excepted, *THIS_MACHINE)))
    return {"no_proxy": names, "NO_PROXY": names}
