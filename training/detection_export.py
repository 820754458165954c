"""From a training run to a shipped weight: safetensors, metadata, model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from deployments.detection.preprocess import InputSpec
from deployments.weights import FORMAT, METADATA, sha256
from training import checkpoints

MODEL_FILE = "model.safetensors"


class ExportError(Exception):
    """A run cannot be exported; the message says why."""


def export_yolo(run: Path, out: Path, spec: InputSpec, training: Mapping[str, Any]) -> Path:
    """Write a run's averaged weights in half precision, with what an engine needs to read them.

    ``training`` joins the run's own steps and hours in the metadata: data, licences, commit.
    """
    state = checkpoints.load(run / checkpoints.LAST)
    if state is None:
        raise ExportError(f"{run}: holds no {checkpoints.LAST}")
    values = {name: _compact(value) for name, value in state["average"]["values"].items()}
    out.mkdir(parents=True, exist_ok=True)
    save_file(values, out / MODEL_FILE)
    metadata = {
        "name": out.name,
        "engine": "yolo",
        "format": FORMAT,
        "sha256": {MODEL_FILE: sha256(out / MODEL_FILE)},
        "input": asdict(spec),
        "architecture": state["architecture"],
        "training": {**training, "steps": state["step"], "hours": round(state["spent_s"] / 3600, 3)},
        "results": {},
    }
    write_metadata(out, metadata)
    return out


def write_metadata(out: Path, metadata: Mapping[str, Any]) -> None:
    """Write ``metadata.json`` of a weight."""
    text = json.dumps(metadata, indent=2, ensure_ascii=False)
    (out / METADATA).write_text(text + "\n", encoding="utf-8")


def _compact(value: Tensor) -> Tensor:
    """Half precision; float16 has the finer mantissa, and weights lie well within its range."""
    if not value.is_floating_point():
        return value.contiguous()
    if float(value.abs().max()) > torch.finfo(torch.float16).max / 2:
        return value.to(torch.bfloat16).contiguous()
    return value.to(torch.float16).contiguous()
