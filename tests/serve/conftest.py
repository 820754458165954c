"""One real Ray for all tests here; configurations are deployed as an operator does, over REST."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
import yaml
from ray import serve

from benchmarks.service import wait_until
from cluster.fake_graph import with_fakes
from cluster.ports import free_port
from serve_app.launch import is_ready

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = "scriptorium"
DEPLOY_TIMEOUT_S = 400

Config = dict[str, Any]

__all__ = ["Cluster", "Config", "with_fakes", "with_jobs_in"]


class Cluster:
    """A local Ray with Serve on a port of its own."""

    def __init__(self, dashboard_url: str, jobs: Path) -> None:
        self._jobs = jobs
        token = {"Authorization": f"Bearer {os.environ['RAY_AUTH_TOKEN']}"}
        self._dashboard = httpx.Client(base_url=dashboard_url, timeout=60, headers=token, trust_env=False)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=120, trust_env=False)

    def close(self) -> None:
        """Close the connections; Ray goes on."""
        self._dashboard.close()
        self.http.close()

    def config(self) -> Config:
        """The repository's serve_config.yaml, on this cluster's port."""
        config: Config = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
        config["http_options"]["port"] = self.port
        return with_jobs_in(config, self._jobs)

    def deploy(self, config: Config) -> str:
        """Apply a configuration; answers the application's final status."""
        answer = self._dashboard.put("/api/serve/applications/", json=config)
        assert answer.is_success, answer.text
        deadline_s = time.monotonic() + DEPLOY_TIMEOUT_S
        while time.monotonic() < deadline_s:
            status = str(self.application().get("status"))
            if status == "RUNNING":
                wait_until(lambda: is_ready(self.url), DEPLOY_TIMEOUT_S)
            if status in ("RUNNING", "DEPLOY_FAILED"):
                return status
            time.sleep(0.2)
        raise TimeoutError(f"still {status}: {self.application()}")

    def application(self) -> Config:
        """What Serve says of the application."""
        answer = self._dashboard.get("/api/serve/applications/").raise_for_status().json()
        found: Config = answer["applications"].get(APPLICATION, {})
        return found

    def replicas(self, deployment: str) -> list[Config]:
        """Running replicas of a deployment, with their process ids."""
        details = self.application()["deployments"][deployment]
        return [replica for replica in details["replicas"] if replica["state"] == "RUNNING"]

    def status(self, deployment: str) -> Any:
        """The StageStatus of a stage's replica."""
        return serve.get_deployment_handle(deployment, APPLICATION).status.remote().result(timeout_s=30)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # More logical CPUs than a laptop has: this tier tests the graph, not the placement.
    context = ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=True,
        dashboard_port=free_port(),
        object_store_memory=200 * 2**20,
        log_to_driver=False,
    )
    cluster = Cluster(f"http://{context.dashboard_url}", tmp_path_factory.mktemp("jobs"))
    yield cluster
    cluster.close()
    serve.shutdown()
    ray.shutdown()


def with_jobs_in(config: Config, directory: Path, **options: Any) -> Config:
    """A configuration whose jobs are not those of the user's own service."""
    config = copy.deepcopy(config)
    (application,) = config["applications"]
    jobs = application["args"].get("jobs") or {}
    application["args"]["jobs"] = jobs | options | {"directory": str(directory)}
    return config
