"""Find and read the Serve configurations of a directory tree, strictly: a repeated key is an error."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_SKIPPED_DIRECTORIES = {"node_modules", "__pycache__", "runs", "build", "dist"}


class YamlError(Exception):
    """The text is not YAML, or says a thing twice; the message has the line."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """One Serve configuration: where it is, and what it says.

    ``key`` is the path inside the file for a configuration embedded in a Kubernetes manifest.
    """

    path: Path
    content: Any
    key: str = ""


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen and key != "<<":
                raise YamlError(f"line {key_node.start_mark.line + 1}: the key {key!r} stands here twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse(text: str) -> list[Any]:
    """All documents of a YAML text. Raises YamlError."""
    try:
        return list(yaml.load_all(text, _StrictLoader))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YamlError(f"{line}{error.problem or 'not YAML'}") from None
    except (yaml.YAMLError, TypeError) as error:
        raise YamlError(f"not YAML: {error}") from None


def read(path: Path) -> list[ServeConfig]:
    """The Serve configurations of one file, those embedded as ``serveConfigV2`` included.

    Raises YamlError, also for a file that cannot be read as UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(str(error)) from None
    found = []
    for document in parse(text):
        if isinstance(document, dict) and "applications" in document:
            found.append(ServeConfig(path, document))
        for key, embedded in _embedded(document):
            if not isinstance(embedded, str):
                raise YamlError(f"{key}: must be a block of text that is YAML itself")
            try:
                found.extend(ServeConfig(path, content, key) for content in parse(embedded))
            except YamlError as error:
                raise YamlError(f"{key}: {error}") from None
    return found


def mentions_serve(path: Path) -> bool:
    """Whether a file that is not valid YAML was meant to be a Serve configuration."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return "import_path:" in text or "serveConfigV2" in text


def yaml_files(root: Path) -> Iterator[Path]:
    """All YAML files below ``root``, in a fixed order, hidden and generated directories left out."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith(".") and n not in _SKIPPED_DIRECTORIES)
        yield from (Path(directory) / name for name in sorted(files) if name.endswith((".yaml", ".yml")))


def _embedded(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            here = f"{path}.{key}" if path else str(key)
            if key == "serveConfigV2":
                yield here, below
            else:
                yield from _embedded(below, here)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _embedded(below, f"{path}[{index}]")
