"""Rendered parts of the cluster's files are fresh; image, compose and launcher hold to their schemas."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from cluster import ray_environment, render
from serve_app.config import AppConfig
from serve_app.environment import ALWAYS, HEALING, OFFLINE, QUIET_RAY

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster"
# A node of the worker group, as the production configuration assumes it.
NODE_CPUS, NODE_GPUS = 7, 1

Manifest = dict[str, Any]


@pytest.mark.parametrize("path", render.files(), ids=lambda path: str(path.relative_to(CLUSTER)))
def test_rendered_parts_are_as_their_sources_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == render.files()[path], "run: make cluster-files"


def test_a_region_is_replaced_at_its_indentation() -> None:
    source = "cluster/ray.env for docker run"
    text = f"a:\n  # rendered from {source}\n  old\n  # end of {source}\nb:\n"
    lines = render.with_regions(text).splitlines()
    assert lines[0] == "a:" and lines[-1] == "b:"
    assert all(line.startswith("  ") for line in lines[1:-1]) and "  old" not in lines
    with pytest.raises(KeyError):
        render.with_regions("# rendered from nowhere\n# end of nowhere\n")


def test_every_variable_has_a_reason() -> None:
    assert all(ray_environment.variables("# why\nA=1\nB=2"))
    for wrong in ("A=1", "# why\nA=1\n\nB=2", "# why\nA=1\nA=2", "# why\nA"):
        with pytest.raises(ValueError, match="line"):
            ray_environment.variables(wrong)


def test_the_cluster_is_as_offline_as_the_laptop() -> None:
    variables = {each.name: each.value for each in ray_environment.load()}
    same = {
        **OFFLINE,
        **ALWAYS,
        **HEALING,
        **{k: QUIET_RAY[k] for k in ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED")},
    }
    assert variables.items() >= same.items()


def test_serve_knows_every_variable_that_is_set_for_it() -> None:
    """Serve ignores a misspelt variable without a word."""
    constants = resources.files("ray.serve._private").joinpath("constants.py").read_text(encoding="utf-8")
    for variable in ray_environment.load():
        if variable.name.startswith("RAY_SERVE_"):
            assert f'"{variable.name}"' in constants, variable.name


@pytest.mark.parametrize(
    "name", ["serve_config.gpu.yaml", "serve_config.one-gpu.yaml", "serve_config.cpu.yaml"]
)
def test_nothing_outside_the_ingress_ends_a_request_before_its_own_deadlines_do(name: str) -> None:
    """Serve's timeout covers upload and answer together; HAProxy's the silence between two pieces."""
    config = yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))
    limits = AppConfig(**config["applications"][0]["args"]).limits
    longest_s = limits.max_body_s + limits.max_pages * limits.request_deadline_s
    timeout_s = config["http_options"].get("request_timeout_s")
    assert timeout_s is None or timeout_s > longest_s
    silence_s = {each.name: each.value for each in ray_environment.load()}[
        "RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S"
    ]
    assert float(silence_s) > max(limits.request_deadline_s, limits.max_body_idle_s)


def test_compose_publishes_no_private_port() -> None:
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    schema = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json")
    jsonschema.validate(compose, json.loads(schema.read_text(encoding="utf-8")))
    published = {name: each.get("ports", []) for name, each in compose["services"].items()}
    assert published == {
        "service": ["${PUBLISH:-127.0.0.1:8000}:8000"],
        "service-gpu": ["${PUBLISH:-127.0.0.1:8000}:8000"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert compose["networks"]["inside"] == {"internal": True}


def test_containers_run_as_nobody_without_rights_on_read_only_files() -> None:
    """The pods of Kubernetes: test_kuberay_files.py."""
    for name in ("service", "gpu-vm"):  # cpu and gpu are the first, with packages
        assert re.findall(r"^USER (.+)$", stages()[name], re.MULTILINE)[-1] == "10001:10001", name
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["services"]
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
    machines = yaml.safe_load((CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8"))
    options = set(machines["docker"]["run_options"])
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"} <= options


def test_files_that_compose_names_exist() -> None:
    directory = CLUSTER / "docker"
    compose = yaml.safe_load((directory / "compose.yaml").read_text(encoding="utf-8"))
    for service in compose["services"].values():
        for source in [volume.split(":")[0] for volume in service.get("volumes", [])]:
            assert not source.startswith(".") or (directory / source).exists(), source
    assert (directory / compose["x-service"]["env_file"]).is_file()


def test_the_launcher_of_ray_takes_the_cluster_of_machines() -> None:
    config = yaml.safe_load((CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(config))
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config({**config, "max_wrkers": 1}))


def stages() -> dict[str, str]:
    """The stages of the image by name."""
    dockerfile = (CLUSTER / "docker" / "Dockerfile").read_text(encoding="utf-8")
    parts = re.split(r"^FROM \S+ AS (\S+)$", dockerfile, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_images_are_named_after_the_stages_that_they_are_built_from() -> None:
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    built = {
        each["image"]: each["build"]["target"] for each in compose["services"].values() if "build" in each
    }
    machines = yaml.safe_load((CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8"))
    manifest = (CLUSTER / "kuberay" / "base" / "rayservice.yaml").read_text(encoding="utf-8")
    images = {*built, machines["docker"]["image"], *re.findall(r"^ +image: (\S+)$", manifest, re.MULTILINE)}
    assert images == {"scriptorium:cpu", "scriptorium:gpu", "scriptorium:gpu-vm"}
    for image in images:
        target = image.removeprefix("scriptorium:")
        assert target in stages() and built.get(image, target) == target


def test_the_image_for_machines_has_what_the_launcher_calls() -> None:
    """rsync and ssh inside the container, a name for its user, and `ray` in a login shell."""
    stage = stages()["gpu-vm"]
    (packages,) = re.findall(r"apt-get install -y --no-install-recommends (.+) \\$", stage, re.MULTILINE)
    assert {"openssh-client", "rsync"} <= set(packages.split())
    assert "useradd --uid 10001 " in stage and "--home-dir /tmp " in stage and "--shell /bin/bash " in stage
    assert "ENV PATH=/opt/venv/bin:$PATH" in stages()["service"]
    assert 'echo "export PATH=$PATH" > /etc/profile.d/' in stage


def test_the_operators_shell_has_the_token_of_the_cluster() -> None:
    """Ray's commands send a token only when they are told that there is one."""
    text = (CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8")
    head = text[: text.index("cluster_name:")]
    assert (
        head.index("export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=")
        < head.index("ray up")
        < head.index("serve deploy")
    )
    assert "--env=RAY_AUTH_MODE=token" in text and "--env-file=/etc/scriptorium/token.env" in text


def test_the_dockerfile_is_free_of_findings() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, CLUSTER / "docker" / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def copied_paths() -> list[str]:
    dockerfile = (CLUSTER / "docker" / "Dockerfile").read_text(encoding="utf-8")
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    return [path for copy in copies for path in copy.split()]


def test_the_builder_is_sent_what_the_image_copies() -> None:
    ignore = (CLUSTER / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == set(copied_paths())


def test_the_files_of_the_image_suffice(tmp_path: Path) -> None:
    """What is copied is imported and checked by itself, without the rest of the repository."""
    for path in copied_paths():
        source = ROOT / path
        if path == "weights":
            continue  # large, and looked for only when an engine starts
        if source.is_dir():
            shutil.copytree(source, tmp_path / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / path)
    program = "from serve_app import app, check_config, launch; raise SystemExit(check_config.main([]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "files checked, no problems" in done.stderr
