"""A configuration with the fake engines in place of the real ones, for load and failure runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

STAGES = ("detection", "classification", "recognition")
RECOGNITION = "RecognitionFake"
SERVE_CONFIG = Path(__file__).resolve().parents[1] / "serve_config.yaml"

Config = dict[str, Any]


def local_config() -> Config:
    """The repository's serve_config.yaml."""
    config: Config = yaml.safe_load(SERVE_CONFIG.read_text(encoding="utf-8"))
    return config


def with_fakes(config: Config, **behaviour: Mapping[str, Any]) -> Config:
    """A copy whose stages are the fake engines, each with a behaviour (``FakeBehaviour``) if given."""
    config = copy.deepcopy(config)
    (application,) = config["applications"]
    fake = {stage: {"engine": "fake", "fake": dict(behaviour.get(stage, {}))} for stage in STAGES}
    application["args"] |= {
        "detection": fake["detection"],
        "classification": fake["classification"],
        "recognition": {
            "printed": "fake",
            "handwritten": "fake",
            "engines": {"fake": fake["recognition"]},
        },
    }
    for deployment in application["deployments"]:
        if deployment["name"].startswith("Recognition"):
            deployment["name"] = RECOGNITION
        if "user_config" in deployment:
            # Bounds in pixels are made for the real engines' inputs.
            items = deployment["user_config"].get("batch", {}).get("max_items", 32)
            deployment["user_config"]["batch"] = {"max_items": items, "max_pixels": 10**8}
    return config


def deployment(config: Config, name: str) -> Config:
    """The block of a deployment, to be changed."""
    (application,) = config["applications"]
    found: Config = next(block for block in application["deployments"] if block["name"] == name)
    return found
