"""The files of a weight's folder, as ``deployments.weights`` finds them again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from deployments.weights import METADATA

ROOT = Path(__file__).resolve().parent.parent


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file that every user of the machine may read."""
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, path)
    share(path)


def share(path: Path) -> None:
    """Let every user read a file of tensors, which safetensors writes for its owner alone."""
    path.chmod(0o644)


def write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    write_json(folder / METADATA, metadata)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def commit() -> str:
    """The short hash of the code that trains; empty outside a repository."""
    answer = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
