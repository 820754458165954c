"""Nodes carry what the configuration asks of them, and go without taking requests with them."""

from __future__ import annotations

import json
import re
import shlex
from math import ceil
from typing import Any

import pytest
import yaml
from ray.scripts.scripts import drain_node

from serve_app.config import AppConfig
from tests.manifests import CLUSTER, ROOT, budgets, deployments, groups, manifests, of_config, of_kind

# A node of the worker group, as the production configuration assumes it.
NODE_CPUS, NODE_GPUS = 7, 1
# What such a machine keeps from the pod: the system and kubelet (0.1 to 0.2 CPUs, 4.6 GiB), and agents.
KEPT_CPUS, KEPT_GIB = 0.4, 6
# Decoded pages on their way to detection are copied for it.
PAGE_COPIES = 2
# An ingress replica beside its bodies and pages.
PROCESS_BYTES = 10**9


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
    assert cpus_of(container) > NODE_CPUS
    vm = (CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8")
    assert f"--num-cpus={NODE_CPUS} --num-gpus={NODE_GPUS}" in vm


def cpus_of(container: Any) -> float:
    asked = container["resources"]["requests"]["cpu"]
    return int(asked.removesuffix("m")) / 1000 if asked.endswith("m") else float(asked)


def test_a_worker_pod_fits_the_machine_that_the_handbook_names() -> None:
    _, workers = groups()
    (container,) = workers["template"]["spec"]["containers"]
    memory_gib = int(container["resources"]["requests"]["memory"].removesuffix("Gi"))
    handbook = " ".join((ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split())
    assert f"asks for one GPU, {cpus_of(container):g} CPUs and {memory_gib} GiB" in handbook
    ((cpus, machine_gib),) = re.findall(r"machines of one GPU, (\w+) CPUs and (\d+) GiB", handbook)
    assert cpus == "eight" and cpus_of(container) <= 8 - KEPT_CPUS
    assert memory_gib <= int(machine_gib) - KEPT_GIB


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
    held = limits.max_bodies_bytes + PAGE_COPIES * limits.max_decoded_bytes + PROCESS_BYTES
    assert held < ingress["ray_actor_options"]["memory"]
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


def test_callers_and_autoscaling_go_by_the_documents_in_work() -> None:
    settings = AppConfig(**of_config()["args"])
    in_work = settings.limits.max_documents_in_work
    ingress, detection = (d for d in deployments() if d["name"] in ("OcrIngress", "Detection"))
    assert ingress["autoscaling_config"]["target_ongoing_requests"] == in_work
    assert settings.access.rate_limits.burst <= in_work
    assert in_work >= 3 * detection["user_config"]["batch"]["max_items"]


def test_requests_end_before_their_worker_does() -> None:
    """A worker that ends is drained by a command that Ray has; pod, node and replicas have their time."""
    _, workers = groups()
    (container,) = workers["template"]["spec"]["containers"]
    shell, option, script = container["lifecycle"]["preStop"]["exec"]["command"]
    parts = re.fullmatch(
        r"if timeout (\d+) ray drain-node (.+); then sleep (\d+); else sleep (\d+); fi; ray stop", script
    )
    assert (shell, option) == ("/bin/sh", "-c") and parts
    tell_s, drained_s, alone_s = (int(parts[group]) for group in (1, 3, 4))
    asked = drain_node.make_context("drain-node", shlex.split(parts[2])).params
    assert asked["reason"] == "DRAIN_NODE_REASON_PREEMPTION"  # the other one is refused by a busy node
    assert asked["node_id"] is None and asked["deadline_remaining_seconds"] == drained_s
    # Serve stops a replica when only its own time to end is left. HAProxy drains an ingress for 30 s.
    assert drained_s > 30 + max(d["graceful_shutdown_timeout_s"] for d in deployments())
    assert alone_s > of_config()["args"]["limits"]["request_deadline_s"]
    grace_s = workers["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s >= tell_s + max(drained_s, alone_s) + 30


def test_a_single_node_is_stopped_after_its_longest_drain() -> None:
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    grace_s = int(compose["x-service"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > max(d["graceful_shutdown_timeout_s"] for d in deployments())
