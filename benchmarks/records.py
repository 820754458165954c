"""Measurements on disk: figures together with the time, commit and machine they were taken on."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from serve_app.environment import ROOT

DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"


def write_record(name: str, figures: Mapping[str, Any]) -> Path:
    """Write ``results/NAME-TIME.json``; returns its path."""
    now = datetime.now(UTC)
    return _write(RESULTS / f"{name}-{now:%Y%m%dT%H%M%SZ}.json", now, figures)


def write_of_commit(figures: Mapping[str, Any], directory: Path = RESULTS) -> Path:
    """Write ``DIRECTORY/DATE-COMMIT.json``, in place of an earlier one; returns its path."""
    now = datetime.now(UTC)
    return _write(directory / f"{now:%Y-%m-%d}-{_commit() or 'unknown'}.json", now, figures)


def _write(path: Path, now: datetime, figures: Mapping[str, Any]) -> Path:
    content = {
        "measured": now.isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": machine(),
        **figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """The machine in words and numbers; ``gpu`` only where there is one."""
    about: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
    }
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    with contextlib.suppress(OSError):
        gpus = subprocess.run(command, capture_output=True, text=True).stdout.split("\n")
        about |= {"gpu": gpus[0].strip()} if gpus[0].strip() else {}
    return about


def _commit() -> str:
    """The commit that is checked out, marked when files differ from it; empty without git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return ""


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
