"""The manifests hold to the schemas of Kubernetes and KubeRay, to the configuration, and to each other."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from cluster import ray_environment
from serve_app.config import AppConfig

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster"
KUBERAY = CLUSTER / "kuberay"
KUBERNETES = "1.34"
OPERATORS = jsonschema.Draft202012Validator(
    json.loads((ROOT / "tests" / "data" / "custom-resources.schema.json").read_text(encoding="utf-8"))
)
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


def check(manifest: Manifest) -> None:
    """Raise for what Kubernetes, KubeRay or the Prometheus operator would not take."""
    if manifest["kind"] in ("RayService", "PodMonitor", "PrometheusRule"):
        OPERATORS.validate(manifest)
    elif manifest["kind"] != "Kustomization":  # kustomize reads those, and builds below
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    if manifest["kind"] == "RayService":
        for part in kubernetes_parts(manifest["spec"]["rayClusterConfig"]):
            kubernetes_validate.validate(part, KUBERNETES, strict=True)


def kubernetes_parts(cluster: Manifest) -> Iterator[Manifest]:
    """The parts of a Ray cluster that have Kubernetes' own schema, each in a resource of that."""
    head: Manifest = {"apiVersion": "v1", "metadata": {"name": "x"}}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield {**head, "kind": "PodTemplate", "template": group["template"]}
    autoscaler = {
        k: v for k, v in cluster["autoscalerOptions"].items() if k in ("resources", "securityContext")
    }
    password = cluster.get("gcsFaultToleranceOptions", {}).get("redisPassword", {})
    container = {"name": "autoscaler", **autoscaler, "env": [{"name": "PASSWORD", **password}]}
    yield {**head, "kind": "Pod", "spec": {"containers": [container]}}


@pytest.mark.parametrize("manifest", [pytest.param(m, id=f"{p.name}-{m['kind']}") for p, m in manifests()])
def test_kubernetes_and_its_operators_take_the_resources(manifest: Manifest) -> None:
    check(manifest)


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    """A copy with another value at a path of keys and indices."""
    manifest = copy.deepcopy(manifest)
    *way, last = path.split(".")
    place: Any = manifest
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return manifest


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.rayClusterConfig.workerGroupSpecs.0.minReplica", 2),
        ("spec.rayClusterConfig.workerGroupSpecs.0.minReplicas", "2"),
        ("spec.rayClusterConfig.workerGroupSpecs.0.rayStartParams.num-gpus", 1),
        ("spec.rayClusterConfig.workerGroupSpecs.0.template.spec.containers.0.resourcs", {}),
        ("spec.rayClusterConfig.headGroupSpec.serviceType", "Private"),
        ("spec.rayClusterConfig.autoscalerOptions.version", "v3"),
        ("spec.rayClusterConfig.autoscalerOptions.resources", {"limit": {}}),
        ("spec.rayClusterConfig.gcsFaultToleranceOptions", {"redisPassword": {"value": "x"}}),
        ("spec.upgradeStrategy.type", "Rolling"),
    ],
)
def test_mistakes_in_a_ray_service_would_be_found(path: str, value: Any) -> None:
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
        check(changed(of_kind("RayService"), path, value))


def test_a_misspelt_field_would_be_found() -> None:
    budget: Manifest = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "x"},
        "spec": {"maxUnavailible": 1},
    }
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(budget, KUBERNETES, strict=True)


def budgets(given: Iterable[Manifest]) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m["spec"] for m in given if m["kind"] == "PodDisruptionBudget"}


def test_disruption_budgets_need_no_scale_of_their_owner() -> None:
    """A RayCluster has no scale subresource: only whole numbers of pods that stay work."""
    found = budgets(manifest for _, manifest in manifests())
    assert {frozenset(spec) for spec in found.values()} == {frozenset({"minAvailable", "selector"})}
    _, workers = groups()
    least = {name: spec["minAvailable"] for name, spec in found.items()}
    assert least == {"scriptorium-workers": workers["minReplicas"] - 1, "scriptorium-head": 1}
    for name, spec in found.items():
        labels = spec["selector"]["matchLabels"]
        assert labels["ray.io/node-type"] in name and "app.kubernetes.io/part-of" in labels


def groups() -> tuple[Manifest, Manifest]:
    """The head group and the worker group."""
    cluster = of_kind("RayService")["spec"]["rayClusterConfig"]
    (workers,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], workers


def test_pods_run_as_nobody_on_read_only_files_with_memory_bounds() -> None:
    for group in groups():
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits["memory"] == requests["memory"]
        writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
        assert writable == {"/tmp", "/dev/shm"}
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


def test_the_handbook_patches_the_bound_of_the_worker_group() -> None:
    """KubeRay copies it to no running cluster, whose spec is the RayService's rayClusterConfig."""
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (patch,) = re.findall(r"patch raycluster .*\n +-p '(.+)'", handbook)
    (operation,) = json.loads(patch)
    place: Any = {"spec": of_kind("RayService")["spec"]["rayClusterConfig"]}
    for step in operation["path"].strip("/").split("/"):
        place = place[int(step) if step.isdigit() else step]
    assert operation["op"] == "replace" and operation["value"] > place == groups()[1]["maxReplicas"]


def test_memory_of_replicas_fits_their_pod_and_gpu_memory_their_card() -> None:
    _, workers = groups()
    (container,) = workers["template"]["spec"]["containers"]
    pod_bytes = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30
    replicas = sum(d["max_replicas_per_node"] * d["ray_actor_options"]["memory"] for d in deployments())
    limits = AppConfig(**of_config()["args"]).limits
    decoders = limits.max_concurrent_documents * limits.max_decode_memory_bytes
    ingress = next(d for d in deployments() if d["name"] == "OcrIngress")
    assert limits.max_bodies_bytes < ingress["ray_actor_options"]["memory"]
    assert replicas + decoders + int(workers["rayStartParams"]["object-store-memory"]) < pod_bytes
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


def test_requests_end_before_their_worker_does() -> None:
    _, workers = groups()
    (container,) = workers["template"]["spec"]["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    wait_s = int(command.split()[1])
    assert of_config()["args"]["limits"]["request_deadline_s"] < wait_s
    assert wait_s < workers["template"]["spec"]["terminationGracePeriodSeconds"]


def test_replicas_are_drained_before_a_worker_ends() -> None:
    _, workers = groups()
    grace_s = workers["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s > max(d["graceful_shutdown_timeout_s"] for d in deployments())
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["x-service"]["stop_grace_period"] == "120s"


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
    for manifest in built:
        check(manifest)
    if overlay == "gcs-fault-tolerance":
        (service,) = [m for m in built if m["kind"] == "RayService"]
        assert service["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]["redisAddress"] == "redis:6379"
        assert budgets(built).keys() == {"scriptorium-workers"}
    if overlay == "monitoring":
        assert all(m["metadata"]["labels"]["release"] for m in built)
