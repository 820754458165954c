"""Known vulnerabilities of what the locks pin: ``make audit``, a part of ``make check``.

    python -m benchmarks.audit [LOCK...]

Where the database cannot be reached it says SKIPPED and how much went unchecked, and ends well: a
build without a network is no failure. A vulnerability that is found ends it with 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PIP_AUDIT = "pip-audit==2.10.1"
TIMEOUT_S = 120


def main(locks: Sequence[str]) -> int:
    """Audit each lock; answers the exit code."""
    return max(_report(lock, audit(lock)) for lock in locks or ["requirements.lock"])


def audit(lock: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each pinned distribution; None where it cannot be had."""
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", PIP_AUDIT, "--format", "json"]
    command += ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--requirement", lock]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return found


def _report(lock: str, dependencies: list[dict[str, Any]] | None) -> int:
    checked = [one for one in dependencies or () if "skip_reason" not in one]
    if dependencies is None or not checked:
        print(f"audit of {lock}: SKIPPED, the database of vulnerabilities cannot be reached")
        return 0
    vulnerable = [one for one in checked if one["vulns"]]
    for one in vulnerable:
        names = ", ".join(f"{v['id']} (fixed in {', '.join(v['fix_versions']) or '-'})" for v in one["vulns"])
        print(f"audit of {lock}: {one['name']} {one['version']}: {names}")
    unchecked = len(dependencies) - len(checked)
    print(f"audit of {lock}: {len(checked)} checked, {unchecked} not, {len(vulnerable)} vulnerable")
    return int(bool(vulnerable))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
