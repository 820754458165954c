"""``make check-config`` on the sharing of GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.check_config import check

CONFIG = Path(__file__).resolve().parents[2] / "cluster" / "serve_config.gpu.yaml"


def messages(memory_share: float | None, num_gpus: float | None) -> list[str]:
    """What is said of detection with a share of the memory and a fraction of the card."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    (application,) = config["applications"]
    application["args"]["detection"]["gpu_memory_fraction"] = memory_share
    block = next(each for each in application["deployments"] if each["name"] == "Detection")
    block["ray_actor_options"]["num_gpus"] = num_gpus
    if num_gpus is None:
        del block["ray_actor_options"]["num_gpus"]
    return [problem.message for problem in check(config)]


@pytest.mark.parametrize(
    ("memory_share", "num_gpus", "expected"),
    [
        (0.5, 0.3, "a card would overflow"),
        (None, 0.3, "set gpu_memory_fraction"),
        (0.3, None, "missing, but the args give its replicas a share"),
    ],
    ids=["more-than-its-fraction", "unbounded", "no-fraction"],
)
def test_replicas_that_would_take_the_memory_of_others_are_found(
    memory_share: float | None, num_gpus: float | None, expected: str
) -> None:
    (message,) = messages(memory_share, num_gpus)
    assert expected in message


@pytest.mark.parametrize(
    ("memory_share", "num_gpus"), [(0.25, 0.3), (0.3, 0.3), (None, 1), (0.9, 1), (1, None)]
)
def test_what_fits_is_right(memory_share: float | None, num_gpus: float | None) -> None:
    assert messages(memory_share, num_gpus) == []
