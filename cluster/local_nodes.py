"""A Ray of several nodes on this one machine, to try what a cluster does: load, failures, updates.

Each node is a raylet of its own, as on a machine of its own, and can be killed like one. Ray runs
below a process of its own, so that whoever uses it is connected to no Ray:

    python -m cluster.local_nodes     reads commands from its input, a JSON list a line
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from cluster.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
APPLICATION = "scriptorium"
DEPLOY_TIMEOUT_S = 400.0
POLL_S = 0.2
_START_ATTEMPTS = 3

# A node counts as dead after three seconds, not after fifteen: here no network delays its answers.
_PROMPT = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3"}

Config = dict[str, Any]


class LocalNodes:
    """The nodes, and Serve on them as an operator sees it: over the dashboard's REST.

    Args:
        head: resources of the first node, such as ``{"num_cpus": 2}``.
    """

    def __init__(self, head: Mapping[str, Any]) -> None:
        token = secrets.token_hex(32)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cluster.local_nodes"],
            cwd=ROOT,
            env={
                **os.environ,
                **_PROMPT,
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": token,
                "RAY_USAGE_STATS_ENABLED": "0",
                "PYTHONPATH": str(ROOT),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started = self._command("head", {"dashboard_port": free_port(), **head})
        self.head_id: str = started["node_id"]
        self._dashboard = httpx.Client(
            base_url=started["dashboard_url"], timeout=60, headers={"Authorization": f"Bearer {token}"}
        )
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def add(self, **resources: Any) -> str:
        """Start one more node; answers its id."""
        return str(self._command("add", resources)["node_id"])

    def kill(self, node_id: str) -> None:
        """Kill a node's raylet as a power cut would; what ran on it dies with it."""
        self._command("kill", node_id)

    def deploy(self, config: Config) -> None:
        """Apply a Serve configuration on this cluster's port, and wait until it runs everywhere.

        Raises:
            RuntimeError: Serve refused it or could not deploy it.
            TimeoutError: it is not there in time.
        """
        options = {**(config.get("http_options") or {}), "host": "127.0.0.1", "port": self.port}
        answer = self._dashboard.put("/api/serve/applications/", json={**config, "http_options": options})
        if answer.is_error:
            raise RuntimeError(answer.text)
        self.wait_until_running()

    def wait_until_running(self) -> None:
        """Wait until all deployments have all their replicas; raises as ``deploy``."""
        deadline_s = time.monotonic() + DEPLOY_TIMEOUT_S
        while (status := self.application().get("status")) != "RUNNING":
            if status == "DEPLOY_FAILED":
                raise RuntimeError(self.application()["message"])
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the application is {status}: {self.states()}")
            time.sleep(POLL_S)

    def application(self) -> Config:
        """What Serve says of the application."""
        answer = self._dashboard.get("/api/serve/applications/").raise_for_status().json()
        found: Config = answer["applications"].get(APPLICATION, {})
        return found

    def replicas(self, deployment: str) -> list[Config]:
        """Running replicas of a deployment: their ``replica_id``, ``node_id`` and ``pid``."""
        found = self.application().get("deployments", {}).get(deployment, {}).get("replicas", [])
        return [replica for replica in found if replica["state"] == "RUNNING"]

    def states(self) -> dict[str, dict[str, int]]:
        """Number of replicas of every deployment by their state."""
        deployments = self.application().get("deployments", {})
        return {
            name: dict(Counter(replica["state"] for replica in details["replicas"]))
            for name, details in deployments.items()
        }

    def counts(self) -> dict[str, int]:
        """Number of running replicas of every deployment."""
        return {name: states.get("RUNNING", 0) for name, states in self.states().items()}

    def close(self) -> None:
        """Stop every node."""
        self._dashboard.close()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _command(self, verb: str, argument: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([verb, argument]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the nodes' process ended at {verb!r}, exit code {self._process.wait()}")
        return json.loads(answer)


def _added(cluster: Any, arguments: Mapping[str, Any]) -> Any:
    """A new node, tried again where Ray gives it up: after 30 s, however busy the machine is."""
    us = psutil.Process()
    before = set(us.children(recursive=True))
    for _ in range(_START_ATTEMPTS - 1):
        try:
            return cluster.add_node(**arguments)
        except Exception as error:
            print(f"a node did not start: {error!r}; trying again", file=sys.stderr)
            # What there is of it would join late, as one node more.
            unwanted = set(us.children(recursive=True)) - before
            for process in unwanted:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(unwanted, timeout=20)
    return cluster.add_node(**arguments)


def _serve_commands() -> None:
    """The other end of ``LocalNodes``: owns the raylets, answers each command with a JSON line."""
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints to standard output, which belongs to the answers
    cluster: Any = Cluster()
    nodes: dict[str, Any] = {}
    for line in sys.stdin:
        verb, argument = json.loads(line)
        answer: dict[str, Any] = {}
        if verb == "head":
            node = _added(cluster, {"include_dashboard": True, **argument})
            answer = {"node_id": node.node_id, "dashboard_url": f"http://{cluster.webui_url}"}
        elif verb == "add":
            node = _added(cluster, argument)
            nodes[node.node_id] = node
            answer = {"node_id": node.node_id}
        elif verb == "kill":
            for raylet in nodes.pop(argument).all_processes["raylet"]:
                os.kill(raylet.process.pid, signal.SIGKILL)
        print(json.dumps(answer), file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    _serve_commands()
