"""The object store of every node fits into the /dev/shm that its file gives it: else Ray puts it on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from tests.manifests import CLUSTER, groups

UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
# Ray asks for as much as is free in /dev/shm, of which the file system keeps some.
ROOM = 0.95


def size_bytes(text: str) -> int:
    """``2gb``, ``8g`` and ``5Gi`` alike, as Docker and Kubernetes mean them."""
    found = re.fullmatch(r"(\d+)([kmg])(?:b|i)?", text.lower())
    assert found, text
    return int(found[1]) * UNITS[found[2]]


def store_bytes(command: str) -> int:
    """What a command line of ``ray start`` gives the store."""
    (size,) = re.findall(r"--object-store-memory=(\d+)(?:\s|$)", command)
    return int(size)


def nodes() -> Iterator[tuple[str, int, int]]:
    """Each kind of node, with its store and its /dev/shm, bytes."""
    compose = yaml.safe_load((CLUSTER / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    for name in ("service", "service-gpu"):
        service = compose["services"][name]
        yield (
            f"compose {name}",
            store_bytes(service["environment"]["RAY_START_ARGS"]),
            size_bytes(service["shm_size"]),
        )
    for name, group in zip(("head", "workers"), groups(), strict=True):
        (shm,) = [each["emptyDir"] for each in group["template"]["spec"]["volumes"] if each["name"] == "shm"]
        store = int(group["rayStartParams"]["object-store-memory"])
        yield f"kuberay {name}", store, size_bytes(shm["sizeLimit"])
    machines = yaml.safe_load((CLUSTER / "vm" / "cluster.yaml").read_text(encoding="utf-8"))
    (option,) = [each for each in machines["docker"]["run_options"] if each.startswith("--shm-size=")]
    for part in ("head", "worker"):
        (command,) = [each for each in machines[f"{part}_start_ray_commands"] if "ray start" in each]
        yield f"vm {part}", store_bytes(command), size_bytes(option.removeprefix("--shm-size="))


@pytest.mark.parametrize(("store", "shm"), [pytest.param(*sizes, id=name) for name, *sizes in nodes()])
def test_the_object_store_fits_into_shared_memory(store: int, shm: int) -> None:
    assert 0 < store < ROOM * shm


def test_the_container_hands_its_arguments_to_ray() -> None:
    assert "${RAY_START_ARGS:-}" in (CLUSTER / "docker" / "start.sh").read_text(encoding="utf-8")
