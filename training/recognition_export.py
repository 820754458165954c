"""From a training run to a shipped weight: tensors, metadata, model card."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deployments.weights import FORMAT, TENSORS, WeightsError, sha256
from training.checkpoints import LAST, load
from training.mixing import Mix
from training.recognition_curve import PICTURE, EmptyCurve, draw_curve
from training.weight_folder import commit, save_tensors, write_metadata


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the model card must say of the data a weight was made from."""

    data: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()


def export_run(
    run_dir: Path, target: Path, provenance: Provenance | None = None, mix: Mix | None = None
) -> dict[str, Any]:
    """Export a run of either engine, with a picture of its curve if it has one; see :func:`export_crnn`."""
    if load_run(run_dir)["engine"] == "trocr":
        from training.trocr_model import export_trocr

        if mix is not None:
            raise WeightsError(f"{mix.weights!r}: only a CRNN is exported as a mean with another weight")
        metadata = export_trocr(run_dir, target, provenance)
    else:
        metadata = export_crnn(run_dir, target, provenance, mix)
    # A run of no steps only keeps a weight, widened or mixed.
    with suppress(FileNotFoundError, EmptyCurve):
        draw_curve(run_dir, target / PICTURE)
    return metadata


def export_crnn(
    run_dir: Path, target: Path, provenance: Provenance | None = None, mix: Mix | None = None
) -> dict[str, Any]:
    """Write the averaged weights of a CRNN run as a folder that ``deployments.weights`` resolves.

    Matrices and kernels are stored in bf16, in which they were multiplied while training; biases
    and normalisation statistics stay f32.

    Returns:
        The metadata written.

    Raises:
        FileNotFoundError: the run has no checkpoint.
        WeightsError: ``mix`` names a weight that is not there, or is built otherwise.
    """
    state = load_run(run_dir)
    values = state["average"]["values"] if mix is None else mix.into(state["average"]["values"], "crnn")
    target.mkdir(parents=True, exist_ok=True)
    save_tensors({name: _compact(value) for name, value in values.items()}, target / TENSORS)
    metadata = {
        "name": target.name,
        "engine": state["engine"],
        "format": FORMAT,
        "sha256": {TENSORS: sha256(target / TENSORS)},
        **state["description"],
        "training": training_facts(state, provenance or Provenance()) | (mix.facts() if mix else {}),
        "results": {},
    }
    write_metadata(target, metadata)
    return metadata


def load_run(run_dir: Path) -> dict[str, Any]:
    """Checkpoint of a run.

    Raises:
        FileNotFoundError: the run has no checkpoint.
    """
    state = load(run_dir / LAST)
    if state is None:
        raise FileNotFoundError(f"{run_dir} holds no {LAST}: train first")
    return state


def training_facts(state: Mapping[str, Any], provenance: Provenance) -> dict[str, Any]:
    """The metadata section ``training``."""
    return {
        "data": list(provenance.data),
        "licences": list(provenance.licences),
        "steps": state["step"],
        "samples": state["lines"],
        "seed": state["seed"],
        "hours": round(state["spent_s"] / 3600, 2),
        "hardware": state.get("hardware") or hardware(),
        "commit": commit(),
    }


def hardware() -> str:
    """The processor that trains here."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"


def _compact(value: Tensor) -> Tensor:
    return value.to(torch.bfloat16) if value.is_floating_point() and value.ndim > 1 else value
