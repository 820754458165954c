"""From the name of a weight to files on this machine.

A reference is, in this order: the name of a shipped weight (a folder of ``weights/``), the path
of a file or folder, or a hub id ``owner/name`` with an optional ``@revision``. Only a hub id may
use the network, and only where ``HF_HUB_OFFLINE`` does not forbid it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

SHIPPED = Path(__file__).resolve().parent.parent / "weights"
METADATA = "metadata.json"
TENSORS = "model.safetensors"
FORMAT = 1

_HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


class WeightsError(Exception):
    """A weight cannot be used; the message says which one, why, and what there is instead."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Files of one weight. ``metadata`` is empty where the source carries none of ours."""

    reference: str
    path: Path
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def directory(self) -> Path | None:
        """The folder, or None where the weight is a single file."""
        return self.path if self.path.is_dir() else None

    def file(self, name: str) -> Path:
        """Path of one file of the weight.

        Raises:
            WeightsError: the weight does not hold that file.
        """
        path = self.path / name if self.path.is_dir() else self.path
        if not path.is_file() or path.name != name:
            raise WeightsError(f"weights {self.reference!r}: no file {name!r} at {self.path}")
        return path


def resolve(reference: str, engine: str, root: Path = SHIPPED) -> Weights:
    """Find a weight for an engine and check it against its own metadata.

    Args:
        reference: shipped name, path, or hub id ``owner/name[@revision]``.
        engine: name of the engine that will load it, as ``metadata.json`` records it.
        root: the folder of shipped weights.

    Raises:
        WeightsError: nothing is there, it is meant for another engine, or files are not what they were.
    """
    shipped = root / reference
    if (shipped / METADATA).is_file():
        return _local(reference, shipped, engine)
    path = Path(reference).expanduser()
    if path.exists():
        return _local(reference, path.resolve(), engine)
    if match := _HUB_ID.fullmatch(reference):
        return _local(reference, _download(match["repo"], match["revision"]), engine)
    names = ", ".join(shipped_names(root)) or "none"
    raise WeightsError(
        f"weights {reference!r}: not a shipped name ({names}), not a path, not a hub id owner/name"
    )


def shipped_names(root: Path = SHIPPED) -> list[str]:
    """Names of the weights that the repository carries."""
    return sorted(path.parent.name for path in root.glob(f"*/{METADATA}"))


def sha256(path: Path) -> str:
    """Hex digest of a file, as ``metadata.json`` records it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _local(reference: str, path: Path, engine: str) -> Weights:
    metadata = _metadata(reference, path)
    if metadata:
        _check(reference, path, engine, metadata)
    _check_tensors(reference, path)
    return Weights(reference, path, metadata)


def _metadata(reference: str, path: Path) -> dict[str, Any]:
    file = path / METADATA
    if not file.is_file():
        return {}
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"weights {reference!r}: {METADATA} is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise WeightsError(f"weights {reference!r}: {METADATA} is not an object")
    return metadata


def _check(reference: str, path: Path, engine: str, metadata: dict[str, Any]) -> None:
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"weights {reference!r}: format {metadata.get('format')!r}, this version reads {FORMAT}"
        )
    if metadata.get("engine") != engine:
        raise WeightsError(f"weights {reference!r} are for engine {metadata.get('engine')!r}, not {engine!r}")
    for name, digest in metadata.get("sha256", {}).items():
        if not (path / name).is_file():
            raise WeightsError(f"weights {reference!r}: {name} is missing")
        if sha256(path / name) != digest:
            raise WeightsError(f"weights {reference!r}: {name} does not match its sha256")


def _check_tensors(reference: str, path: Path) -> None:
    """Every file of tensors is whole, as its header tells; libraries say so in words of their own."""
    files = path.glob("*.safetensors") if path.is_dir() else [path] if path.suffix == ".safetensors" else []
    for file in files:
        try:
            with safe_open(file, "numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise WeightsError(
                f"weights {reference!r}: {file.name} is damaged or cut off: {error}"
            ) from error


def _download(repo: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise WeightsError(
            f"weights {repo!r}: there is no such path below {Path.cwd()}, and the hub gave nothing: {error}"
        ) from error
