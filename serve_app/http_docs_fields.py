"""The part of docs/http.md on answers: a table of fields for every schema that an answer is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_PROBLEM = "Problem"
# Each is followed by the schemas that it refers to and that have not been shown.
_ROOTS = (
    "Answer", "StreamLine", "JobView", _PROBLEM, "StagesProblem", "JobFailedProblem", "ProblemKind",
    "Readiness", "Health",
)  # fmt: skip
Schemas = dict[str, Any]


def field_tables(schemas: Schemas) -> Iterator[str]:
    """A section for each schema, those that a schema refers to after it."""
    common = schemas[_PROBLEM]["properties"].keys()
    for name in _reached(schemas):
        schema = schemas[name]
        fields, head = schema["properties"], " ".join(schema["description"].split())
        if name != _PROBLEM and common <= fields.keys():
            fields = {field: fields[field] for field in fields if field not in common}
            head += f" The fields of [{_PROBLEM}](#{_PROBLEM.lower()}), and:"
        yield f"### {name}\n\n{head}\n"
        yield "| field | type | meaning |\n|---|---|---|"
        for field, part in fields.items():
            meaning = part.get("description") or _description(part, schemas)
            yield f"| `{field}` | {type_of(part, schemas)} | {meaning} |"
        yield ""


def type_of(part: dict[str, Any], schemas: Schemas) -> str:
    """What a field may hold, in words; a link where that is a schema with a section of its own."""
    if "anyOf" in part:
        return " or ".join(type_of(choice, schemas) for choice in part["anyOf"])
    if "$ref" in part:
        name = _referred(part)
        is_object = "properties" in schemas[name]
        return f"[{name}](#{name.lower()})" if is_object else type_of(schemas[name], schemas)
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "prefixItems" in part:
        return _tuple(part["prefixItems"])
    if part.get("type") == "array":
        return f"list of {type_of(part['items'], schemas)}"
    if part.get("type") == "object":
        return f"map of name to {type_of(part['additionalProperties'], schemas)}"
    if part.get("format") == "date-time":
        return "time, RFC 3339"
    return f"{part['type']}{_bounds(part)}"


def _tuple(items: list[dict[str, Any]]) -> str:
    return f"{len(items)} points `[x, y]`" if "prefixItems" in items[0] else "`[x, y]`"


def _bounds(part: dict[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is None:
        return ""
    return f" from {low:g}" if high is None else f" from {low:g} to {high:g}"


def _description(part: dict[str, Any], schemas: Schemas) -> str:
    """Of the schema that a field holds, for fields that say nothing of their own."""
    text = " ".join(schemas[_referred(part)]["description"].split()).rstrip(".")
    return text[0].lower() + text[1:]


def _referred(part: dict[str, Any]) -> str:
    return str(part["$ref"]).rpartition("/")[2]


def _reached(schemas: Schemas) -> list[str]:
    found: list[str] = []

    def visit(name: str) -> None:
        if name in found or "properties" not in schemas[name]:
            return
        found.append(name)
        for reference in _references(schemas[name]["properties"]):
            visit(reference)

    for root in _ROOTS:
        visit(root)
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield _referred(part)
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
