"""The manifests of Kubernetes and the production configuration, for the tests that hold them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "cluster"
KUBERAY = CLUSTER / "kuberay"

Manifest = dict[str, Any]


def manifests() -> Iterator[tuple[Path, Manifest]]:
    for path in sorted(KUBERAY.rglob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT), manifest


def of_kind(kind: str) -> Manifest:
    (found,) = [manifest for _, manifest in manifests() if manifest["kind"] == kind]
    return found


def of_config() -> Manifest:
    """The application of the production configuration."""
    config = yaml.safe_load((CLUSTER / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    found: Manifest = config["applications"][0]
    return found


def deployments() -> list[Manifest]:
    found: list[Manifest] = of_config()["deployments"]
    return found


def groups() -> tuple[Manifest, Manifest]:
    """The head group and the worker group."""
    cluster = of_kind("RayService")["spec"]["rayClusterConfig"]
    (workers,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], workers


def budgets(given: Iterable[Manifest]) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m["spec"] for m in given if m["kind"] == "PodDisruptionBudget"}
