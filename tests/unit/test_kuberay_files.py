"""The manifests hold to the schemas of Kubernetes and KubeRay."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from cluster import ray_environment
from serve_app.config import AppConfig
from tests.manifests import KUBERAY, ROOT, Manifest, budgets, groups, manifests, of_config, of_kind

KUBERNETES = "1.34"
OPERATORS = jsonschema.Draft202012Validator(
    json.loads((ROOT / "tests" / "data" / "custom-resources.schema.json").read_text(encoding="utf-8"))
)


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


def test_an_old_cluster_stays_until_its_last_request_is_answered() -> None:
    limits = AppConfig(**of_config()["args"]).limits
    delay_s = of_kind("RayService")["spec"]["rayClusterDeletionDelaySeconds"]
    assert delay_s >= limits.max_body_s + limits.request_deadline_s


def test_any_node_with_a_gpu_takes_a_worker() -> None:
    """It is found by what the pod asks for; labels differ from cloud to cloud."""
    _, workers = groups()
    pod = workers["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert not pod.keys() & {"nodeSelector", "affinity", "nodeName"}
    assert {each["key"] for each in pod["tolerations"]} == {"nvidia.com/gpu"}


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
