"""Start ``serve run`` on this machine, say where the service answers, stop it on a signal.

    python -m serve_app.launch [CONFIG] [--port PORT] [--hub]

``serve run`` runs as a child in a session of its own, so that Ctrl-C reaches it once, from here.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from serve_app import draining
from serve_app.config import Limits
from serve_app.environment import ROOT, environment
from serve_app.listening import base_url, first_configuration, http_address, port_number
from serve_app.preflight import obstacle
from serve_app.yaml_files import YamlError

POLL_S = 0.5
STOP_TIMEOUT_S = 60.0
# Answers count as given once Serve has taken them: large ones, and results of jobs, are still on their way.
LAST_BYTES_S = 2.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STATUS_FIRST_S, STATUS_EVERY_S = 10.0, 10.0
KEPT_LINES = 30
FAILED, NOT_STARTED = 1, 2
# A proxy that the shell names for the outside is not asked for this machine.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_DASHBOARD = re.compile(r"dashboard at (?:\x1b\[\d+m)*(?P<url>(?:http://)?[\w.-]+:\d+)")


def drain_timeout_s(config: Mapping[str, Any]) -> float:
    """How long those in hand are waited for: as long as a request may take, Limits' default included."""
    try:
        given = [(each.get("args") or {}).get("limits") or {} for each in config.get("applications") or []]
        return max(Limits.model_validate(limits).request_deadline_s for limits in given)
    except (AttributeError, TypeError, ValueError):  # what Serve will refuse, and say why
        return Limits().request_deadline_s


def is_ready(url: str) -> bool:
    """Whether every stage is warm."""
    try:
        with _DIRECTLY.open(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def find_dashboard(line: str) -> str | None:
    """The dashboard's address, if this line of Ray's output tells it."""
    found = _DASHBOARD.search(line)
    return "http://" + found["url"].removeprefix("http://") if found else None


class ServeProcess:
    """``serve run`` as a child: its output is passed on, its last lines are kept."""

    def __init__(self, config: Path, env: Mapping[str, str]) -> None:
        self.dashboard_url: str | None = None
        self.last_lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._child = subprocess.Popen(
            [sys.executable, "-u", "-m", "ray.serve.scripts", "run", str(config)],
            cwd=ROOT,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def poll(self) -> int | None:
        """The exit code, once it has ended."""
        return self._child.poll()

    def stop(self) -> int:
        """Ask it to shut Serve and Ray down, insist after a while; answers the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._child.poll() is None:
                self._child.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(STOP_TIMEOUT_S)
        self._reader.join(5)
        return self._child.wait()

    def _pass_on(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self.last_lines.append(line.rstrip())
            self.dashboard_url = find_dashboard(line) or self.dashboard_url
            print(line, end="", flush=True)


class _Stop(Exception):
    """A signal asked to stop."""


def _raise_stop(number: int, _frame: object) -> None:
    # Once is enough: make passes a signal on that the terminal has sent already, and a second one
    # would break off the stopping.
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise _Stop(signal.Signals(number).name)


@contextlib.contextmanager
def config_on_port(path: Path, config: dict[str, Any], port: int | None) -> Iterator[Path]:
    """The config file itself, or a passing copy of it with another port."""
    if port is None:
        yield path
        return
    options = {**(config.get("http_options") or {}), "port": port}
    with tempfile.NamedTemporaryFile("w", prefix="serve_config.", suffix=".yaml", encoding="utf-8") as copy:
        yaml.safe_dump({**config, "http_options": options}, copy, allow_unicode=True, sort_keys=False)
        copy.flush()
        yield Path(copy.name)


@contextlib.contextmanager
def drain_folder() -> Iterator[Path]:
    """Where the processes of this service tell each other of stopping.

    Replicas know it from the environment of the Ray that they run on: who started that gives the folder.
    The lock on the folder keeps it from systemd-tmpfiles, which removes what is old.
    """
    with contextlib.ExitStack() as stack:
        folder = os.environ.get(draining.VARIABLE) or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="scriptorium.", ignore_cleanup_errors=True)
        )
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield Path(folder)
        finally:
            os.close(lock)


def wait_until_ready(serve: ServeProcess, url: str) -> bool:
    """Wait for ``/readyz``; false if ``serve run`` ended before, or gave the application up.

    ``serve run`` stays alive when an application fails to deploy, so after a while its status is
    asked for as well.
    """
    next_status_s = time.monotonic() + STATUS_FIRST_S
    while serve.poll() is None:
        if is_ready(url):
            return True
        if time.monotonic() > next_status_s and serve.dashboard_url:
            if "DEPLOY_FAILED" in serve_status(serve.dashboard_url):
                return False
            next_status_s = time.monotonic() + STATUS_EVERY_S
        time.sleep(POLL_S)
    return False


def serve_status(dashboard_url: str) -> str:
    """What ``serve status`` prints; empty if it cannot be had."""
    command = [sys.executable, "-m", "ray.serve.scripts", "status", "--address", dashboard_url]
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, env=environment(os.environ)
        ).stdout
    return ""


def summary(url: str, dashboard_url: str | None, seconds: float) -> str:
    """What to open and what to call."""
    rows = {
        "Read a page": f"curl -F image=@page.png {url}/ocr",
        "In a browser": f"{url}/",
        "API reference": f"{url}/docs",
        "Ray dashboard": dashboard_url or "not running",
        "Its token": "make token",
        "Its status": f"make status DASHBOARD={dashboard_url}" if dashboard_url else "not running",
        "Stop": "Ctrl-C",
    }
    lines = [f"  {name:<14} {value}" for name, value in rows.items()]
    return "\n".join(["", f"Scriptorium is ready after {seconds:.0f} s at {url}", *lines, ""])


def drain(folder: Path, timeout_s: float) -> None:
    """Begin no request any more, and wait until those in hand are answered, and the answers sent."""
    if not draining.drain(folder, timeout_s):
        print(f"not all were answered within {timeout_s:g} s", flush=True)
    time.sleep(LAST_BYTES_S)


def run(path: Path, port: int | None, *, hub: bool) -> int:
    """Serve until a signal or until ``serve run`` ends; answers the exit code."""
    started_s = time.monotonic()
    try:
        config = first_configuration(path.read_text(encoding="utf-8"))
        host, number = http_address(config, port)
    except (YamlError, ValueError) as error:
        print(f"{path} is no Serve configuration: {error}; see make check-config", file=sys.stderr)
        return NOT_STARTED
    if reason := obstacle(host, number):
        print(reason, file=sys.stderr)
        return NOT_STARTED
    url = base_url(host, number)
    for each in STOP_SIGNALS:
        signal.signal(each, _raise_stop)
    with config_on_port(path, config, port) as effective, drain_folder() as folder:
        variables = {**environment(os.environ, hub=hub), draining.VARIABLE: str(folder)}
        serve = ServeProcess(effective, variables)
        try:
            if wait_until_ready(serve, url):
                print(summary(url, serve.dashboard_url, time.monotonic() - started_s), flush=True)
                while serve.poll() is None:
                    time.sleep(POLL_S)
            ended = (
                "The application could not be deployed"
                if serve.poll() is None
                else "serve run ended by itself"
            )
        except _Stop as stop:
            print(f"\n{stop}: stopping, once the requests in hand are answered", flush=True)
            try:
                drain(folder, drain_timeout_s(config))
            finally:
                serve.stop()
            return 0
        ending = "\n  ".join(serve.last_lines)
        code = serve.stop()
    print(f"\n{ended} (exit code {code}). Its last lines:\n  {ending}", file=sys.stderr)
    return code or FAILED


def _port(text: str) -> int:
    try:
        return port_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path, nargs="?", default=ROOT / "serve_config.yaml")
    parser.add_argument("--port", type=_port, help="port of the service instead of the one in CONFIG")
    parser.add_argument("--hub", action="store_true", help="allow weights to be fetched from hubs")
    options = parser.parse_args()
    if not options.config.is_file():
        print(f"no such file: {options.config}", file=sys.stderr)
        return NOT_STARTED
    return run(options.config.resolve(), options.port, hub=options.hub)


if __name__ == "__main__":
    sys.exit(main())
