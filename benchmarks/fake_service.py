"""A service of its own with engines that cost nothing: serve_config.yaml with fakes in every stage."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from serve_app.environment import ROOT, environment
from serve_app.launch import ServeProcess, wait_until_ready

STAGES = ("detection", "classification")
# Bounds in pixels are made for the real engines' inputs.
_BATCH = {"max_items": 32, "max_pixels": 10**8}


@contextlib.contextmanager
def fake_service() -> Iterator[str | None]:
    """Its address on a free port; None if it cannot start. It is stopped afterwards."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "serve_config.yaml"
        config.write_text(yaml.safe_dump(fake_config(port)), encoding="utf-8")
        serve = ServeProcess(config, {**environment(os.environ), "RAY_ADDRESS": "local"})
        address = f"http://127.0.0.1:{port}"
        try:
            yield address if wait_until_ready(serve, address) else None
        finally:
            serve.stop()


def fake_config(port: int) -> dict[str, Any]:
    """The repository's configuration on a port of its own, with fake engines."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text(encoding="utf-8"))
    config["http_options"]["port"] = port
    (application,) = config["applications"]
    application["args"] |= {stage: {"engine": "fake"} for stage in STAGES}
    application["args"]["recognition"] = {"printed": "fake", "handwritten": "fake"}
    for deployment in application["deployments"]:
        if deployment["name"].startswith("Recognition"):
            deployment["name"] = "RecognitionFake"
        if "user_config" in deployment:
            deployment["user_config"]["batch"] = _BATCH
    return config


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
