"""The cluster's files: rendered parts are fresh, and all of them hold to the schemas of what reads them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from math import ceil
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from cluster import ray_environment, render
from serve_app.environment import ALWAYS, OFFLINE, QUIET_RAY

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster"
KUBERAY = CLUSTER / "kuberay"
KUBERNETES = "1.34"
# A node of the worker group, as the production configuration assumes it.
NODE_CPUS, NODE_GPUS = 7, 1

Manifest = dict[str, Any]


def manifests() -> Iterator[tuple[Path, Manifest]]:
    for path in sorted(KUBERAY.rglob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT), manifest


def of_kind(kind: str) -> Manifest:
    (found,) = [manifest for _, manifest in manifests() if manifest["kind"] == kind]
    return found


def deployments() -> list[Manifest]:
    config = yaml.safe_load((CLUSTER / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    found: list[Manifest] = config["applications"][0]["deployments"]
    return found


@pytest.mark.parametrize("path", render.files(), ids=lambda path: str(path.relative_to(CLUSTER)))
def test_rendered_parts_are_as_their_sources_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == render.files()[path], "run: make cluster-files"


def test_a_region_is_replaced_at_its_indentation() -> None:
    text = "a:\n  # rendered from cluster/ray.env for docker run\n  old\n  # end of cluster/ray.env for docker run\nb:\n"
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
    same = {**OFFLINE, **ALWAYS, **{k: QUIET_RAY[k] for k in ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED")}}
    assert variables.items() >= same.items()


def test_serve_knows_every_variable_that_is_set_for_it() -> None:
    """Serve ignores a misspelt variable without a word."""
    constants = resources.files("ray.serve._private").joinpath("constants.py").read_text(encoding="utf-8")
    for variable in ray_environment.load():
        if variable.name.startswith("RAY_SERVE_"):
            assert f'"{variable.name}"' in constants, variable.name


@pytest.mark.parametrize("manifest", [pytest.param(m, id=f"{p.name}-{m['kind']}") for p, m in manifests()])
def test_kubernetes_takes_the_resources(manifest: Manifest) -> None:
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        assert manifest["kind"] in {"Kustomization", "RayService", "PodMonitor", "PrometheusRule"}


def test_a_misspelt_field_would_be_found() -> None:
    budget: Manifest = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "x"},
        "spec": {"maxUnavailible": 1},
    }
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(budget, KUBERNETES, strict=True)


# Fields of ray.io/v1, by the reference of KubeRay 1.6.2. Pod templates are checked against Kubernetes' schema.
RAY_SERVICE_FIELDS = {
    "deploymentUnhealthySecondThreshold",
    "excludeHeadPodFromServeSvc",
    "managedBy",
    "rayClusterConfig",
    "rayClusterDeletionDelaySeconds",
    "serveConfigV2",
    "serveService",
    "serviceUnhealthySecondThreshold",
    "suspend",
    "upgradeStrategy",
}
RAY_CLUSTER_FIELDS = {
    "authOptions",
    "autoscalerOptions",
    "enableInTreeAutoscaling",
    "gcsFaultToleranceOptions",
    "headGroupSpec",
    "headServiceAnnotations",
    "managedBy",
    "rayVersion",
    "suspend",
    "upgradeStrategy",
    "workerGroupSpecs",
}
AUTOSCALER_FIELDS = {
    "env",
    "envFrom",
    "idleTimeoutSeconds",
    "image",
    "imagePullPolicy",
    "resources",
    "securityContext",
    "upscalingMode",
    "version",
    "volumeMounts",
}
HEAD_FIELDS = {
    "enableIngress",
    "headService",
    "labels",
    "rayStartParams",
    "resources",
    "serviceType",
    "template",
}
WORKER_FIELDS = {
    "groupName",
    "idleTimeoutSeconds",
    "labels",
    "maxReplicas",
    "minReplicas",
    "numOfHosts",
    "rayStartParams",
    "replicas",
    "resources",
    "scaleStrategy",
    "suspend",
    "template",
}


def groups() -> tuple[Manifest, Manifest]:
    """The head group and the worker group."""
    cluster = of_kind("RayService")["spec"]["rayClusterConfig"]
    (workers,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], workers


def test_kuberay_knows_every_field() -> None:
    spec = of_kind("RayService")["spec"]
    cluster = spec["rayClusterConfig"]
    head, workers = groups()
    assert spec.keys() <= RAY_SERVICE_FIELDS
    assert cluster.keys() <= RAY_CLUSTER_FIELDS
    assert cluster["autoscalerOptions"].keys() <= AUTOSCALER_FIELDS
    assert head.keys() <= HEAD_FIELDS and workers.keys() <= WORKER_FIELDS
    for group in (head, workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}}
        kubernetes_validate.validate({**template, "template": group["template"]}, KUBERNETES, strict=True)


def test_pods_run_as_nobody_on_read_only_files_with_memory_bounds() -> None:
    for group in groups():
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits["memory"] == requests["memory"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/dev/shm"}
        shm = next(volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "shm")
        assert shm["medium"] == "Memory"


def test_the_environment_is_set_on_head_and_workers() -> None:
    expected = {each.name: each.value for each in ray_environment.load()}
    for group in groups():
        (container,) = group["template"]["spec"]["containers"]
        assert {each["name"]: each["value"] for each in container["env"]} == expected


def test_the_object_store_fits_into_shared_memory() -> None:
    _, workers = groups()
    shm = next(v["emptyDir"] for v in workers["template"]["spec"]["volumes"] if v["name"] == "shm")
    size = int(shm["sizeLimit"].removesuffix("Gi")) * 2**30
    assert int(workers["rayStartParams"]["object-store-memory"]) < size


def test_a_node_holds_one_set_of_replicas_exactly() -> None:
    """Whatever order replicas start in, none is left without a place by the others."""
    gpus = sum(d["max_replicas_per_node"] * d["ray_actor_options"].get("num_gpus", 0) for d in deployments())
    cpus = sum(d["max_replicas_per_node"] * d["ray_actor_options"]["num_cpus"] for d in deployments())
    assert gpus == pytest.approx(NODE_GPUS) and cpus == NODE_CPUS
    _, workers = groups()
    params = workers["rayStartParams"]
    assert (int(params["num-cpus"]), int(params["num-gpus"])) == (NODE_CPUS, NODE_GPUS)
    (container,) = workers["template"]["spec"]["containers"]
    assert int(container["resources"]["requests"]["cpu"]) > NODE_CPUS
    vm = (CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8")
    assert f"--num-cpus={NODE_CPUS} --num-gpus={NODE_GPUS}" in vm


@pytest.mark.parametrize("bound", ["min", "max"])
def test_the_worker_group_is_as_large_as_the_bounds_of_replicas(bound: str) -> None:
    _, workers = groups()
    needed = {
        ceil(d["autoscaling_config"][f"{bound}_replicas"] / d["max_replicas_per_node"]) for d in deployments()
    }
    assert needed == {workers[f"{bound}Replicas"]}


def test_memory_of_replicas_fits_their_pod_and_gpu_memory_their_card() -> None:
    _, workers = groups()
    (container,) = workers["template"]["spec"]["containers"]
    pod_bytes = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30
    replicas = sum(d["max_replicas_per_node"] * d["ray_actor_options"]["memory"] for d in deployments())
    assert replicas + int(workers["rayStartParams"]["object-store-memory"]) < pod_bytes
    args = of_config()["args"]
    shares = {
        "Detection": args["detection"]["gpu_memory_fraction"],
        "Classification": args["classification"]["gpu_memory_fraction"],
        "RecognitionCrnn": args["recognition"]["engines"]["crnn"]["gpu_memory_fraction"],
    }
    by_name = {d["name"]: d for d in deployments()}
    assert all(share <= by_name[name]["ray_actor_options"]["num_gpus"] for name, share in shares.items())
    used = sum(share * by_name[name]["max_replicas_per_node"] for name, share in shares.items())
    assert used <= 0.8 + 1e-9


def of_config() -> Manifest:
    config = yaml.safe_load((CLUSTER / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    found: Manifest = config["applications"][0]
    return found


def test_replicas_are_drained_before_a_worker_ends() -> None:
    _, workers = groups()
    grace_s = workers["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s > max(d["graceful_shutdown_timeout_s"] for d in deployments())
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["x-service"]["stop_grace_period"] == "120s"


PRIVATE_PORTS = {6379, 8265, 10001, 52365}


def test_only_the_pods_themselves_and_the_operator_reach_private_ports() -> None:
    policies = [m for p, m in manifests() if m["kind"] == "NetworkPolicy" and p.parent.name == "base"]
    names = {policy["metadata"]["name"] for policy in policies}
    assert "scriptorium-nothing-by-default" in names
    for policy in policies:
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"], policy["metadata"]["name"]
            ports = {port["port"] for port in rule.get("ports", [])}
            if policy["metadata"]["name"] == "scriptorium-operator":
                assert ports == {8265}
            elif policy["metadata"]["name"] != "scriptorium-among-themselves":
                assert ports and not ports & PRIVATE_PORTS


def test_compose_publishes_no_private_port() -> None:
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    schema = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json")
    jsonschema.validate(compose, json.loads(schema.read_text(encoding="utf-8")))
    published = {name: each.get("ports", []) for name, each in compose["services"].items()}
    assert published == {
        "service": ["${PUBLISH:-127.0.0.1:8000}:8000"],
        "service-gpu": ["${PUBLISH:-127.0.0.1:8000}:8000"],
        "prometheus": [],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert compose["networks"]["inside"] == {"internal": True}


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


@pytest.mark.parametrize("overlay", ["base", "gcs-fault-tolerance", "monitoring"])
def test_kustomize_builds(overlay: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    command = [kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(KUBERAY / overlay)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert {m["metadata"].get("namespace", m["metadata"]["name"]) for m in built} == {"scriptorium"}
    if overlay == "gcs-fault-tolerance":
        (service,) = [m for m in built if m["kind"] == "RayService"]
        assert service["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]["redisAddress"] == "redis:6379"
