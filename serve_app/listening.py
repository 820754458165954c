"""Where a Serve configuration has the service listen, and where it is reached then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serve_app.preflight import MAX_PORT
from serve_app.yaml_files import parse


def http_address(config: Mapping[str, Any], port: int | None) -> tuple[str, int]:
    """Host and port that the service will listen on, Serve's defaults included. Raises ValueError."""
    options = config.get("http_options") or {}
    if not isinstance(options, dict):
        raise ValueError("http_options must be a mapping")
    try:
        number = port_number(str(port or options.get("port", 8000)))
    except ValueError as error:
        raise ValueError(f"http_options.port {error}") from None
    return str(options.get("host", "127.0.0.1")), number


def port_number(text: str) -> int:
    """A port as a person writes it. Raises ValueError."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PORT:
        raise ValueError(f"must be a number from 1 to {MAX_PORT}, and is {text}")
    return int(text)


def base_url(host: str, port: int) -> str:
    """Where this machine reaches a service that listens there."""
    reached = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def first_configuration(text: str) -> dict[str, Any]:
    """What a configuration file says. Raises YamlError or ValueError."""
    documents = parse(text)
    if not documents or not isinstance(documents[0], dict) or not documents[0].get("applications"):
        raise ValueError("it holds no applications")
    return documents[0]
