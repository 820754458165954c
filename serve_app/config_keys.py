"""Compare a mapping with the pydantic models that will read it: unknown keys and refused values.

Serve's models ignore keys that they do not know, so what they allow is read off their fields.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError


class Problem(NamedTuple):
    """What is wrong with one key, addressed by its path inside the configuration."""

    path: str
    message: str


def unknown_keys(
    expected: Any, value: Any, path: str, blocks: Mapping[str, Collection[str]] = {}
) -> Iterator[Problem]:
    """Keys that no model knows, at every level of a value.

    Args:
        expected: type annotation of the value; what is not a model, or made of models, is not looked into.
        value: what was read from the file.
        path: where the value stands.
        blocks: allowed keys of mappings that models leave open, by the name of their field.
    """
    if isinstance(value, list):
        inner = next(iter(typing.get_args(_without_none(expected))), None)
        for index, below in enumerate(value):
            yield from unknown_keys(inner, below, f"{path}[{index}]", blocks)
    if not isinstance(value, dict):
        return
    model = _model_in(expected)
    if model is None:
        inner = next(reversed(typing.get_args(_without_none(expected))), None)
        for key, below in value.items():
            yield from unknown_keys(inner, below, join(path, key), blocks)
        return
    for key, below in value.items():
        if key not in model.model_fields:
            yield Problem(join(path, key), f"unknown key{did_you_mean(key, model.model_fields)}")
        elif key in blocks and isinstance(below, dict):
            for name in below.keys() - blocks[key]:
                yield Problem(join(join(path, key), name), f"unknown key{did_you_mean(name, blocks[key])}")
        else:
            yield from unknown_keys(model.model_fields[key].annotation, below, join(path, key), blocks)


def _without_none(annotation: Any) -> Any:
    """``list[X]`` out of ``list[X] | None``; other annotations as they are."""
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        return members[0] if len(members) == 1 else annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of an annotation such as ``Model``, ``Model | None`` or ``dict | Model``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
    return None


def invalid(model: type[BaseModel], value: Any, path: str) -> Iterator[Problem]:
    """Values that the model refuses; unknown keys are left to ``unknown_keys``."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] != "extra_forbidden":
                yield Problem(_location(path, detail["loc"]), detail["msg"].removeprefix("Value error, "))
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        # Serve's models import what an import path names.
        yield Problem(path, str(error))


def _location(path: str, steps: Sequence[int | str]) -> str:
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else join(path, step)
    return path


def join(path: str, key: object) -> str:
    """``path.key``, or the one of them that is not empty."""
    return f"{path}.{key}" if path and key else f"{path}{key}"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A suggestion to append to a message; empty if nothing known is like the word."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
