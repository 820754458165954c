"""From a training run to a shipped weight: safetensors and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deployments.detection.preprocess import InputSpec
from deployments.weights import FORMAT, TENSORS, resolve, sha256
from training import checkpoints
from training.mixing import Mix
from training.weight_folder import commit, save_tensors, write_metadata


class ExportError(Exception):
    """A run cannot be exported; the message says why."""


def export_run(
    engine: str,
    run: Path,
    out: Path,
    about: Mapping[str, Any],
    spec: InputSpec | None = None,
    mix: Mix | None = None,
) -> Path:
    """Write a run's averaged weights in half precision, with what an engine needs to read them.

    ``mix`` is a weight of the same engine whose mean with the run is written. ``about`` joins the run's
    own steps, samples, seed and hours in the metadata's ``training``; its ``results``, if any, become the
    metadata's.
    """
    state = checkpoints.load(run / checkpoints.LAST)
    if state is None:
        raise ExportError(f"{run}: holds no {checkpoints.LAST}")
    values = state["average"]["values"]
    out.mkdir(parents=True, exist_ok=True)
    if engine == "craft":
        from deployments.detection.craft import load
        from training.detection_craft import SPEC, save_checkpoint

        spec = spec or SPEC
        # The hub's format has other names than the network.
        values = mix.mean(values, load(resolve(mix.weights, engine)).state_dict()) if mix else values
        save_checkpoint(state["architecture"], values, out)
    else:
        from training.detection_yolo import SPEC

        spec = spec or SPEC
        values = mix.into(values, engine) if mix else values
        save_tensors({name: _compact(value) for name, value in values.items()}, out / TENSORS)
    told = dict(about)
    metadata = {
        "name": out.name,
        "engine": engine,
        "format": FORMAT,
        "sha256": {TENSORS: sha256(out / TENSORS)},
        "input": asdict(spec),
        "architecture": state["architecture"],
        "results": told.pop("results", {}),
        "training": {
            **told,
            "steps": state["step"],
            "samples": state["windows"],
            "seed": state["seed"],
            "hours": round(state["spent_s"] / 3600, 3),
            "commit": commit(),
            **(mix.facts() if mix else {}),
        },
    }
    write_metadata(out, metadata)
    return out


def _compact(value: Tensor) -> Tensor:
    """Half precision: float16 for its finer mantissa, bfloat16 for what is beyond its range."""
    if not value.is_floating_point():
        return value
    if float(value.abs().max()) > torch.finfo(torch.float16).max / 2:
        return value.to(torch.bfloat16)
    return value.to(torch.float16)
