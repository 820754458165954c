"""Write the contract: ``python -m serve_app.openapi [FILE]`` (openapi.json by default)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployments.errors import StageUnavailable
from deployments.types import Image
from serve_app.api import create_api
from serve_app.config import AppConfig
from serve_app.results import DocumentResult


class _NoStages:
    """A reader with nothing behind it: the contract does not depend on one."""

    async def read(self, pages: Sequence[Image], whole_line: bool, deadline_s: float) -> DocumentResult:
        raise StageUnavailable

    async def readiness(self) -> Mapping[str, bool]:
        return {}


def contract_json() -> str:
    """The OpenAPI document as the repository keeps it."""
    document = create_api(_NoStages(), AppConfig()).openapi()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the document."""
    Path(arguments[0] if arguments else "openapi.json").write_text(contract_json(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
