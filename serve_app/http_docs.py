"""Writes docs/http.md from the contract: ``python -m serve_app.http_docs``.

A test compares the committed page with what this prints.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from serve_app import problems
from serve_app.config import AppConfig
from serve_app.contract_parts import EXAMPLE_ID
from serve_app.http_docs_fields import field_tables
from serve_app.middleware.authentication import is_open
from serve_app.middleware.stack import SHOWN_HEADERS
from serve_app.negotiation import MEDIA_TYPES
from serve_app.openapi import contract_json
from serve_app.problem_advice import ADVICE
from serve_app.schemas import Problem

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "http.md"
_TEMPLATE = Path(__file__).with_name("http_docs.template.md")
_PLACE = re.compile(r"<!-- (?P<name>[a-z ]+) -->")
_STATUS = re.compile(r"\((?P<status>[45]\d\d)( or [45]\d\d)?\b[^)]*\)")

Places: TypeAlias = dict[str, set[str]]
"""Names of operations by status."""


def page() -> str:
    """The whole page, as Markdown."""
    contract = json.loads(contract_json())
    parts = {
        "version": iter([contract["info"]["version"]]),
        "package version": iter([_package_version()]),
        "endpoints": _endpoints(contract),
        "request headers": _request_headers(contract),
        "answer headers": _answer_headers(contract),
        "formats": (f"| `{name}` | {_codes(types)} |" for name, types in MEDIA_TYPES.items()),
        "shown headers": iter([_codes(SHOWN_HEADERS)]),
        "limits": _limits(AppConfig(), ""),
        "retry statuses": iter([_retry_statuses()]),
        "problem": iter([_problem_example()]),
        "problems": _problems(),
        "fields": field_tables(contract["components"]["schemas"]),
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    return _PLACE.sub(lambda place: "\n".join(parts[place["name"]]), text)


def _endpoints(contract: dict[str, Any]) -> Iterator[str]:
    schemas = contract["components"]["schemas"]
    written: dict[str, str] = {}
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            name = f"`{method.upper()} {path}`"
            key = "No key is needed." if is_open(path) else "Needs a key where the service asks for keys."
            yield f"### {name}\n\n{operation['summary']}. {key}\n\n{operation['description']}\n"
            if content := operation.get("requestBody", {}).get("content", {}):
                yield f"Body: {_codes(content)}.\n"
            if table := "\n".join(_parameters(operation.get("parameters", ()), schemas)):
                first = written.setdefault(table, name)
                yield f"{table}\n" if first == name else f"Parameters: those of {first}.\n"
            yield from _answers(operation["responses"])
            if "state" in operation["tags"]:
                yield from _bodies(operation["responses"])


def _parameters(parameters: Any, schemas: dict[str, Any]) -> Iterator[str]:
    own = [parameter for parameter in parameters if parameter["in"] != "header"]
    if own:
        yield "| parameter | values | default | meaning |\n|---|---|---|---|"
    for parameter in own:
        schema = parameter["schema"]
        default = f"`{json.dumps(schema['default'])}`".replace('"', "") if "default" in schema else "–"
        meaning = parameter.get("description", "")
        cells = (f"`{parameter['name']}`", _values(schema, schemas), default, meaning)
        yield f"| {' | '.join(map(_cell, cells))} |"


def _values(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """What a parameter may be, in words."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _values(choice, schemas)
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return _codes(schema["enum"])
    kind = str(schema.get("type", ""))
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{kind}, {low:g} to {high:g}" if low is not None and high is not None else kind


def _answers(responses: dict[str, Any]) -> Iterator[str]:
    yield "| status | answer |\n|---|---|"
    for status, response in responses.items():
        content = response.get("content", {})
        examples = content.get(problems.MEDIA_TYPE, {}).get("examples")
        if examples:
            yield f"| {status} | {', '.join(f'[`{code}`](#{code})' for code in examples)} |"
        else:
            types = f": {_codes(content)}" if content else ""
            yield f"| {status} | {response['description']}{types} |"
    yield ""


def _bodies(responses: dict[str, Any]) -> Iterator[str]:
    """What a short answer looks like, and a problem where it has more fields than others."""
    for status, response in responses.items():
        for content in response["content"].values():
            values = [content["example"]] if "example" in content else []
            values += [each["value"] for each in content.get("examples", {}).values()]
            for value in values:
                if "type" not in value or value.keys() - Problem.model_fields.keys():
                    yield f"{status}:\n\n```json\n{json.dumps(value, ensure_ascii=False)}\n```\n"


def _request_headers(contract: dict[str, Any]) -> Iterator[str]:
    headers = {
        parameter["name"]: parameter
        for _, operation in _operations(contract)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    for name, parameter in sorted(headers.items()):
        yield f"| `{name}` | {_cell(parameter['description'])} |"


def _answer_headers(contract: dict[str, Any]) -> Iterator[str]:
    meanings: dict[str, str] = {}
    carrying: dict[str, Places] = defaultdict(lambda: defaultdict(set))
    answering: Places = defaultdict(set)
    for operation_name, operation in _operations(contract):
        for status, response in operation["responses"].items():
            answering[status].add(operation_name)
            for name, header in response.get("headers", {}).items():
                meanings[name] = f"{header['description']}, such as `{header.get('example', '')}`"
                carrying[name][status].add(operation_name)
    for name, places in sorted(carrying.items()):
        yield f"| `{name}` | {_where(places, answering)} | {_cell(meanings[name])} |"


def _where(places: Places, answering: Places) -> str:
    """The statuses that carry a header, and the operations where not all that answer the status do."""
    if places == answering:
        return "all"
    posts = {
        status: {name for name in names if name.startswith("POST")} for status, names in answering.items()
    }
    if all(names == posts[status] for status, names in places.items()) and "200" in places:
        return f"{', '.join(sorted(places))} of `POST`"
    return ", ".join(
        status if places[status] == answering[status] else f"{status} of {_codes(sorted(places[status]))}"
        for status in sorted(places)
    )


def _operations(contract: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def _limits(model: BaseModel, prefix: str) -> Iterator[str]:
    """Every key whose description names a status, as its error does."""
    for name, field in type(model).model_fields.items():
        value, path = getattr(model, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _limits(value, f"{path}.")
        elif _STATUS.search(field.description or ""):
            default = "–" if value is None else f"`{value}`"
            yield f"| `{path}` | {default} | {_cell(field.description or '')} |"


def _package_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def _retry_statuses() -> str:
    return ", ".join(sorted({str(kind.status) for kind in problems.catalogue().values() if kind.retry}))


def _problem_example() -> str:
    kind = problems.catalogue()["rate_limited"]
    detail = "60 requests a minute are admitted, 10 of them at once; there is room for another in 1 s."
    return problems.problem(kind, detail, EXAMPLE_ID).model_dump_json(indent=1)


def _problems() -> Iterator[str]:
    for kind in problems.catalogue().values():
        yield f"### {kind.code}\n"
        retry = "yes" if kind.retry else "no"
        yield f"`/problems/{kind.code}` · {kind.status} · {kind.title} · retry: {retry}\n"
        yield f"{ADVICE[kind.code]}\n"


def _codes(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
