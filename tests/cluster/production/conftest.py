"""One cluster for all tests here: the production configuration with fake engines, on logical GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.cluster.production.collector import Collector, collecting
from tests.cluster.production.nodes import ROOT, Config, Nodes
from tests.serve.conftest import with_fakes

POISON = 13


@dataclass(frozen=True)
class Production:
    """The cluster, its configuration and what collects its spans."""

    nodes: Nodes
    config: Config
    collector: Collector


def production_config() -> Config:
    """serve_config.gpu.yaml, but for engines, callers and what one machine cannot have twice."""
    config: Config = yaml.safe_load((ROOT / "cluster" / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    config = with_fakes(config, recognition={"faults": {POISON: "raises"}})
    config["http_options"]["host"] = "127.0.0.1"
    # The nodes share one address, so only one of them can have the port that requests come in at.
    config["proxy_location"] = "HeadOnly"
    config["tracing_config"]["sampling_ratio"] = 1.0
    (application,) = config["applications"]
    application["args"]["access"] = {}
    return config


@pytest.fixture(scope="package")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    config = production_config()
    with collecting() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            # Half a minute, for load balancers to look elsewhere: here is none.
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        }
        nodes = Nodes(tmp_path_factory.mktemp("cluster"), config, environment)
        try:
            nodes.start("--num-cpus=0 --num-gpus=0", worker="--num-cpus=7 --num-gpus=1 --memory=34000000000")
            yield Production(nodes, config, collector)
        finally:
            code = nodes.stop()
    assert code == 0
