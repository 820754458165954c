"""A service of one's own to do harm to: serve_config.yaml with fake engines, started by the launcher.

The fake engines read numbers from bar codes (``deployments.fakes``), so every answer can be compared
with what was drawn.
"""

from __future__ import annotations

import copy
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
import yaml

from cluster.fake_graph import Config, local_config, with_fakes
from cluster.ports import free_port
from serve_app.launch import find_dashboard, is_ready

ROOT = Path(__file__).resolve().parents[1]
READY_TIMEOUT_S = 300.0


def fake_config(behaviour: Mapping[str, Config] | None = None, **limits: Any) -> Config:
    """The repository's configuration with fake engines, each with a behaviour if given."""
    config = with_fakes(local_config(), **(behaviour or {}))
    config["applications"][0]["args"]["limits"] |= limits
    return config


class Processes:
    """The processes of a Ray below one process, by what they do."""

    def __init__(self, root_pid: int) -> None:
        self._root = psutil.Process(root_pid)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """Replicas of a deployment."""
        return self._titled(f"ray::ServeReplica:scriptorium:{deployment}")

    def proxies(self) -> list[psutil.Process]:
        """Processes that listen for HTTP."""
        return self._titled("ray::ProxyActor")

    def controllers(self) -> list[psutil.Process]:
        """The Serve controller."""
        return self._titled("ray::ServeController")

    def decoders(self) -> list[psutil.Process]:
        """Decoder processes of the ingress."""
        return [child for child in self.all() if "serve_app.decoding.worker" in _command(child)]

    def all(self) -> list[psutil.Process]:
        """Every descendant."""
        found: list[psutil.Process] = self._root.children(recursive=True)
        return found

    def _titled(self, title: str) -> list[psutil.Process]:
        return [child for child in self.all() if _command(child).startswith(title)]


class Service:
    """``python -m serve_app.launch`` with a configuration, until the end of the ``with`` block.

    ``environment`` is added to that of this process.
    """

    def __init__(self, config: Config, environment: Mapping[str, str] | None = None) -> None:
        self.config = copy.deepcopy(config)
        self.port = free_port()
        self.config["http_options"]["port"] = self.port
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment or {}
        self._token = secrets.token_hex(32)
        self._folder = tempfile.TemporaryDirectory(prefix="service.")
        self._log = Path(self._folder.name, "log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        path = Path(self._folder.name, "serve_config.yaml")
        path.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token}
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serve_app.launch", str(path)],
                cwd=ROOT,
                env={**os.environ, **token, **self._environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(self.ready, READY_TIMEOUT_S, self._check_alive)
        return self

    def apply(self, config: Config) -> None:
        """Have Serve go over to another configuration, and wait until it has.

        Raises:
            RuntimeError: it was refused.
            TimeoutError: it did not come to run.
        """
        url = next(filter(None, map(find_dashboard, self._log.read_text("utf-8", "replace").splitlines())))
        headers = {"Authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as dashboard:
            answer = dashboard.put("/api/serve/applications/", json=config)
            if answer.is_error:
                raise RuntimeError(answer.text)
            wait_until(lambda: _is_running(dashboard), READY_TIMEOUT_S, self._check_alive)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        children = self.processes.all()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(90)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The launcher's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def processes(self) -> Processes:
        """What the service is made of."""
        return Processes(self.pid)

    def ready(self) -> bool:
        """Whether every stage is warm."""
        return is_ready(self.url)

    def _check_alive(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            said = "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-20:])
            raise RuntimeError(f"the service ended with {self._process.returncode}:\n{said}")


def _is_running(dashboard: httpx.Client) -> bool:
    answer = dashboard.get("/api/serve/applications/").raise_for_status().json()
    return all(application["status"] == "RUNNING" for application in answer["applications"].values())


def wait_until(condition: Any, timeout_s: float, check: Any = lambda: None) -> float:
    """Seconds until a condition held.

    Raises:
        TimeoutError: it did not in time.
    """
    started_s = time.monotonic()
    while not condition():
        check()
        if time.monotonic() - started_s > timeout_s:
            raise TimeoutError(f"not within {timeout_s:g} s")
        time.sleep(0.1)
    return time.monotonic() - started_s


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
