"""The API does what openapi.json says, for requests that Schemathesis makes up from it, good and bad."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig

from serve_app.api import create_api
from serve_app.jobs.config import JobsConfig
from tests.api_client import Bounds, Config
from tests.readers import InkReader

ROOT = Path(__file__).parents[2]
EXAMPLES = 25
MALFORMED = ("400", "406", "422")
CONFIG = {
    "seed": 1,
    "generation": {"deterministic": True, "database": "none", "max-examples": EXAMPLES, "no-shrink": True},
    # No schema tells bytes that are a document from other bytes, nor which size is too large.
    "checks": {
        "negative_data_rejection": {"expected-statuses": [*MALFORMED, "404", "405", "413", "415", "431"]},
        "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "413", "415", "422"]},
    },
}


class Afresh:
    """Starts another API whenever a server does: one that has been shut down takes no documents."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._app: Any = None

    def _made(self) -> FastAPI:
        jobs = JobsConfig(directory=self._directory.name, max_jobs=100_000)
        return create_api(InkReader(), Config(Bounds(max_head_bytes=2**16), jobs=jobs))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self._app = self._made()
        await self._app(scope, receive, send)


schemathesis.serializer.alias("application/pdf", "application/octet-stream")
config = SchemathesisConfig.from_dict(CONFIG)
schema = schemathesis.openapi.from_path(ROOT / "openapi.json", config=config)
schema.app = Afresh()


@schema.parametrize()
def test_requests_are_answered_as_the_contract_says(case: schemathesis.Case) -> None:
    case.call_and_validate()
