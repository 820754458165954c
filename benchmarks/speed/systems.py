"""The systems that answer over HTTP, started for a trial and stopped after it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.processes import descendants
from cluster.ports import free_port
from serve_app.environment import ROOT, environment
from serve_app.launch import ServeProcess, is_ready, wait_until_ready

START_TIMEOUT_S = 180.0
SERVE_BATCH = "benchmarks.speed.serve_batch:build"
HOST = "127.0.0.1"


class SystemFailed(RuntimeError):
    """A system did not become ready."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that takes requests; ``cold_start_s`` from the command to ready."""

    url: str
    cold_start_s: float
    processes: tuple[psutil.Process, ...]


def for_device(content: Mapping[str, Any], device: str) -> dict[str, Any]:
    """A Serve configuration with every stage on ``device``, if one is named."""
    (application,) = content["applications"]
    if not device:
        return dict(content)
    args = {**application.get("args", {})}
    for stage in ("detection", "classification"):
        args[stage] = {**args.get(stage, {}), "device": device}
    recognition = {**args.get("recognition", {})}
    engines = recognition.get("engines", {})
    recognition["engines"] = {name: {**each, "device": device} for name, each in engines.items()}
    return {**content, "applications": [{**application, "args": {**args, "recognition": recognition}}]}


def with_serve_batch(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same configuration for the graph with ``@serve.batch``."""
    (application,) = content["applications"]
    return {**content, "applications": [{**application, "import_path": SERVE_BATCH}]}


@contextlib.contextmanager
def config_file(content: Mapping[str, Any], port: int | None = None) -> Iterator[Path]:
    """A passing file with a configuration, on ``port`` if one is named."""
    if port is not None:
        options = {**(content.get("http_options") or {}), "host": HOST, "port": port}
        content = {**content, "http_options": options}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(dict(content), file, allow_unicode=True, sort_keys=False)
        file.flush()
        yield Path(file.name)


@contextlib.contextmanager
def service(content: Mapping[str, Any]) -> Iterator[Running]:
    """``serve run`` with a Ray of its own, as ``make serve`` starts it.

    Raises:
        SystemFailed: see the class.
    """
    port = free_port()
    url = f"http://{HOST}:{port}"
    before = set(descendants())
    started_s = time.monotonic()
    with config_file(content, port) as path, contextlib.redirect_stdout(sys.stderr):
        serve = ServeProcess(path, environment(os.environ))
        try:
            if not wait_until_ready(serve, url):
                raise SystemFailed("the service did not become ready: " + " | ".join(serve.last_lines))
            cold_start_s = time.monotonic() - started_s
            yield Running(url, cold_start_s, tuple(set(descendants()) - before))
        finally:
            serve.stop()


@contextlib.contextmanager
def monolith(content: Mapping[str, Any]) -> Iterator[Running]:
    """One FastAPI process; see :mod:`benchmarks.speed.monolith`. Raises SystemFailed."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    started_s = time.monotonic()
    with config_file(content) as path:
        command = [sys.executable, "-m", "benchmarks.speed.monolith", str(path), "--port", str(port)]
        env = {name: value for name, value in environment(os.environ).items() if name != "OMP_NUM_THREADS"}
        child = subprocess.Popen(command, cwd=ROOT, env=env)
        try:
            while not is_ready(url):
                if child.poll() is not None or time.monotonic() - started_s > START_TIMEOUT_S:
                    raise SystemFailed("the monolith did not become ready")
                time.sleep(0.2)
            root = psutil.Process(child.pid)
            yield Running(url, time.monotonic() - started_s, (root, *descendants(root)))
        finally:
            child.terminate()
            child.wait(30)
