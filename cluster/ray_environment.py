"""Reads ``ray.env``: the environment of every Ray process of a cluster, each variable with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("ray.env")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable and the lines of prose right above it."""

    name: str
    value: str
    reason: tuple[str, ...]


def variables(text: str) -> list[Variable]:
    """All variables of an env file, each with the comment right above it.

    Raises ValueError for a line that is no assignment, or a variable without a reason or said twice.
    """
    found: dict[str, Variable] = {}
    reason: list[str] = []
    explained = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            reason.append(line.removeprefix("#").strip())
        elif not line.strip():
            reason, explained = [], False
        else:
            name, assigned, value = line.partition("=")
            # Variables that stand together share the reason above the first of them.
            explained = explained or bool(reason)
            if not assigned or name in found or not explained:
                raise ValueError(f"line {number}: not a new NAME=value with a reason above it: {line}")
            found[name] = Variable(name, value, tuple(reason))
            reason = []
    return list(found.values())


def load() -> list[Variable]:
    """The variables of ``ray.env``."""
    return variables(FILE.read_text(encoding="utf-8"))
