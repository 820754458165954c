"""Write the contract: ``python -m serve_app.openapi [FILE]`` (openapi.json by default)."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from deployments.errors import StageUnavailable
from serve_app.api import create_api
from serve_app.config import AppConfig
from serve_app.pages import SourcePage
from serve_app.reader import ReadOptions
from serve_app.results import PageResult


class _NoStages:
    """A reader with nothing behind it: the contract does not depend on one."""

    engines: Mapping[str, str] = MappingProxyType({})

    async def stream(
        self, pages: AsyncIterator[SourcePage], options: ReadOptions
    ) -> AsyncGenerator[PageResult]:
        raise StageUnavailable
        yield

    async def readiness(self) -> Mapping[str, bool]:
        return {}


def contract_json() -> str:
    """The OpenAPI document as the repository keeps it."""
    document = create_api(_NoStages(), AppConfig()).openapi()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.openapi", description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("openapi.json"), help="(%(default)s)")
    parser.parse_args(arguments).file.write_text(contract_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
