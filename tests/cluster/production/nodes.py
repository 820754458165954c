"""A cluster as an operator starts it: the image's entry point on a head, workers that join it.

The nodes are raylets of one machine. They run without the right to anything, as a user that owns
nothing, where only /tmp and /dev/shm can be written, as the manifests have it; where this machine
does not allow a mount namespace, as the user of the tests.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from cluster import ray_environment
from cluster.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]
READY_TIMEOUT_S = 400
STOP_TIMEOUT_S = 120
# Ray gives up a node that is not there after 30 s, however busy the machine is.
START_ATTEMPTS = 3
USER = 10001

Config = dict[str, Any]


def jailed() -> list[str]:
    """A command's prefix: root read-only, /tmp its own, no capabilities. Empty where that is not allowed."""
    if not all(map(shutil.which, ("unshare", "setpriv"))):
        return []
    python = Path(sys.base_prefix)
    home = Path(*python.parts[:2])
    steps = ["mount --make-rprivate /", "mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs /tmp"]
    if not home.stat().st_mode & stat.S_IXOTH:
        # The interpreter lies in a directory that only its owner may enter: show it alone.
        steps += [
            f"mkdir /tmp/python && mount --bind {python} /tmp/python",
            f"mount -t tmpfs -o mode=755 tmpfs {home}",
            f"mkdir -p {python} && mount --bind /tmp/python {python}",
            f"mount -o remount,ro {home}",
        ]
    steps.append("mount -o remount,bind,ro /")
    drop = f"setpriv --reuid {USER} --regid {USER} --clear-groups --inh-caps=-all --bounding-set=-all"
    setup, drop = " && ".join(steps), f"{drop} --no-new-privs"
    prefix = ["unshare", "--mount", "sh", "-c"]
    python_runs = shlex.join([sys.executable, "-c", "pass"])
    is_read_only = f"! {shlex.join(['touch', str(ROOT / 'written')])} 2>/dev/null"
    probe = f"{drop} sh -c {shlex.quote(f'{python_runs} && {is_read_only}')}"
    if subprocess.run([*prefix, f"{setup} && {probe}"], capture_output=True).returncode:
        return []
    return [*prefix, f'{setup} && exec {drop} -- "$@"', "sh"]


class Nodes:
    """One head and its workers."""

    def __init__(self, directory: Path, config: Config, environment: Mapping[str, str]) -> None:
        self._more_environment = environment
        self.token = secrets.token_hex(32)
        ports = free_ports(12)
        self.http_port, self.gcs_port, self.dashboard_port, self.metrics_port = ports[:4]
        self.haproxy_metrics_port, self._stats_port, self._agent_port, self._client_port = ports[4:8]
        self.worker_metrics_ports, self._worker_agent_ports = ports[8:10], ports[10:]
        config["http_options"]["port"] = self.http_port
        self.temp_dir = Path(tempfile.mkdtemp(prefix="ray", dir="/dev/shm"))
        self.temp_dir.chmod(0o1777)
        # Each node has a /tmp of its own, and jobs are what all of them see.
        config["applications"][0]["args"]["jobs"] = {"directory": str(self.temp_dir / "jobs")}
        self._config = self.temp_dir / "serve_config.yaml"
        self._config.write_text(yaml.safe_dump(config), encoding="utf-8")
        self._log = directory / "head.log"
        self._prefix = jailed()
        self._head: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.http_port}", timeout=60)

    @property
    def jailed(self) -> bool:
        """Whether the nodes run as the manifests have it."""
        return bool(self._prefix)

    def start(self, head: str, worker: str) -> None:
        """Start the head, join two workers, each with arguments of ``ray start``; wait for the service."""
        arguments = (
            f"--port={self.gcs_port} --dashboard-port={self.dashboard_port} --temp-dir={self.temp_dir} "
            f"--dashboard-agent-listen-port={self._agent_port} --ray-client-server-port={self._client_port} "
            f"--object-store-memory=150000000 {head}"
        )
        for _ in range(START_ATTEMPTS):
            self._head = self._start_head(arguments)
            self._wait(lambda: self._ended() or b"Ray runtime started" in self._log.read_bytes())
            if not self._ended():
                break
        assert not self._ended(), self._said()
        for agent_port, metrics_port in zip(self._worker_agent_ports, self.worker_metrics_ports, strict=True):
            ports = f"--dashboard-agent-listen-port={agent_port} --metrics-export-port={metrics_port}"
            self._join(f"{ports} {worker}")
        self._wait(self._ready)

    def stop(self) -> int:
        """Stop as a container is stopped; answers the exit code of its first process."""
        assert self._head is not None
        self._head.send_signal(signal.SIGTERM)
        code = self._head.wait(STOP_TIMEOUT_S)
        self.http.close()
        ours = self._processes()
        for process in ours:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(ours, timeout=20)
        shutil.rmtree(self.temp_dir, ignore_errors=True)
        return code

    def dashboard(self, path: str, token: str | None = None) -> httpx.Response:
        """GET from the dashboard, with the cluster's token unless another is given, empty for none."""
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.dashboard_port}{path}"
        return httpx.get(url, headers=headers, timeout=60)

    def agent(self, path: str) -> list[httpx.Response]:
        """GET from the agent of every worker, as its probes do: without a token."""
        return [httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60) for port in self._worker_agent_ports]

    def replicas(self) -> dict[str, list[Config]]:
        """Running replicas of every deployment, with node and process id."""
        application = self.dashboard("/api/serve/applications/").raise_for_status().json()["applications"]
        return {
            name: [replica for replica in deployment["replicas"] if replica["state"] == "RUNNING"]
            for name, deployment in application["scriptorium"]["deployments"].items()
        }

    def logs(self, pattern: str) -> Iterator[Path]:
        """Files of Serve's logs."""
        yield from sorted(self.temp_dir.glob(f"session_2*/logs/serve/{pattern}"))

    def _environment(self) -> dict[str, str]:
        cluster = {each.name: each.value for each in ray_environment.load()}
        own: Mapping[str, str] = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": "/tmp",
            "RAY_ADDRESS": f"127.0.0.1:{self.gcs_port}",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_METRICS_PORT": str(self.metrics_port),
            "RAY_worker_niceness": "0",
            # Two clusters may run on this machine at a time.
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(self.haproxy_metrics_port),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(self._stats_port),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{self.temp_dir}/haproxy/haproxy.cfg",
            "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{self.temp_dir}/haproxy/admin.sock",
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": f"{self.temp_dir}/haproxy",
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{self.temp_dir}/haproxy/server-state",
        }
        return {**cluster, **own, **self._more_environment, "LANG": "C.UTF-8"}

    def _start_head(self, arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*self._prefix, str(ROOT / "cluster" / "docker" / "start.sh")],
                cwd=ROOT,
                env=self._environment() | {"RAY_START_ARGS": arguments, "CONFIG": str(self._config)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _ended(self) -> bool:
        return self._head is None or self._head.poll() is not None

    def _join(self, arguments: str) -> None:
        """A worker joins the head: one after another, for two at a time may choose the same socket."""
        joining = f"ray start --address=127.0.0.1:{self.gcs_port} --object-store-memory=150000000 {arguments}"
        env = self._environment() | {"RAY_TMPDIR": str(self.temp_dir)}
        command = [*self._prefix, "sh", "-c", joining]
        for _ in range(START_ATTEMPTS):
            with self._log.open("ab") as log:
                joined = subprocess.run(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
            if joined.returncode == 0:
                return
        raise AssertionError(self._said())

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.http.get("/readyz").status_code == 200
        return False

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not done():
            assert not self._ended(), self._said()
            assert time.monotonic() < deadline_s, self._said()
            time.sleep(0.3)

    def _said(self) -> str:
        """The ends of what the head and Serve's controller and replicas have written."""
        logs = [self._log, *self.logs("*.log")]
        return "\n".join(f"{each.name}:\n{each.read_text(errors='replace')[-2000:]}" for each in logs)

    def environment(self, worker: str) -> dict[str, str]:
        """The environment of a worker of Ray's, by a part of its name."""
        named = []
        for each in self._processes():
            # Others come and go.
            with contextlib.suppress(psutil.NoSuchProcess):
                named += [each.environ()] if worker in " ".join(each.cmdline()) else []
        (environment,) = named
        return environment

    def _processes(self) -> list[psutil.Process]:
        """Processes of these nodes: those whose command names their directory, and their children."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.temp_dir) in " ".join(process.cmdline()):
                    for each in (process, *process.children(recursive=True)):
                        found[each.pid] = each
        return list(found.values())
