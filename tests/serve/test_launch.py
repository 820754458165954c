"""``make serve`` as a person meets it: it says when it is ready, stops cleanly, and fails in words."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from benchmarks.service import wait_until
from cluster.ports import free_port
from serve_app.launch import serve_status
from tests.serve.conftest import ROOT, Config, with_fakes, with_jobs_in


@pytest.fixture
def config(tmp_path: Path) -> Config:
    loaded: Config = yaml.safe_load((ROOT / "serve_config.yaml").read_text(encoding="utf-8"))
    return with_jobs_in(with_fakes(loaded), tmp_path / "jobs")


def launch(directory: Path, config: Config, port: int) -> subprocess.Popen[str]:
    path = directory / "serve config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "serve_app.launch", str(path), "--port", str(port)],
        cwd=ROOT,
        # A proxy for the outside, which nobody has: this machine is asked directly.
        env={**os.environ, "RAY_ADDRESS": "local", "http_proxy": "http://127.0.0.1:9"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if re.search(pattern, line):
            return read
    raise AssertionError(f"{pattern!r} was never printed:\n{read}")


def test_ready_then_stopped_by_ctrl_c(tmp_path: Path, config: Config) -> None:
    port = free_port()
    process = launch(tmp_path, config, port)
    try:
        read_until(process, "Scriptorium is ready")
        rest = read_until(process, "Ctrl-C")
        assert f"http://127.0.0.1:{port}/docs" in rest
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=180).status_code == 200
        dashboard = re.search(r"Ray dashboard +(\S+)", rest)
        assert dashboard is not None
        assert httpx.get(dashboard[1], timeout=180).status_code == 200
        wait_until(lambda: "HEALTHY" in serve_status(dashboard[1]), 180)
        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGINT)
        read_until(process, "stopping")
        process.send_signal(signal.SIGTERM)  # a second one, as make passes it on, changes nothing
        process.communicate()
    assert process.returncode == 0
    _, alive = psutil.wait_procs(children, timeout=180)
    assert alive == []


def test_an_application_that_cannot_be_deployed_ends_it(tmp_path: Path, config: Config) -> None:
    (application,) = config["applications"]
    application["args"]["detection"]["engine"] = "abacus"
    process = launch(tmp_path, config, free_port())
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "The application could not be deployed" in output
    assert "abacus" in output


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path) -> None:
    """In a namespace of its own, with a file system of its own that is full."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = shlex.join(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)])
    if subprocess.run([*alone, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    serve = shlex.join([sys.executable, "-m", "serve_app.launch", "--port", str(free_port())])
    done = subprocess.run(
        [*alone, "sh", "-c", f"{mount} && exec {serve}"],
        cwd=ROOT,
        env={**os.environ, "RAY_TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"No space left on the disk of {tmp_path}" in done.stderr


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path, config: Config) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = launch(tmp_path, config, port)
        output, _ = process.communicate()
    assert process.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in output


def test_a_missing_config_is_said() -> None:
    command = [sys.executable, "-m", "serve_app.launch", "no-such.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such file: no-such.yaml" in done.stderr
