"""A client that a generator makes of openapi.json reads documents, without a line of ours."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from serve_app.api import create_api
from serve_app.keys import entry, new_key
from serve_app.middleware.config import Access, KeySource
from tests.api_client import DATA_URL, PNG, Config
from tests.readers import InkReader

ROOT = Path(__file__).parents[2]
# The generator knows one media type of files; that of a raw body does not matter to the service.
OPTIONS = """
package_name_override: generated_client
post_hooks: []
content_type_overrides: {application/pdf: application/octet-stream, image/*: application/octet-stream}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Imports modules of the generated client."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "options.yaml").write_text(OPTIONS)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", ROOT / "openapi.json",
               "--output-path", folder / "generated_client", "--meta", "none",
               "--config", folder / "options.yaml", "--fail-on-warning"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"generated_client.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.startswith("generated_client")]:
        del sys.modules[name]


def connected(package: Any, config: Config | None = None, key: str | None = None) -> Any:
    app = create_api(InkReader(), config or Config())
    options: dict[str, Any] = {
        "base_url": "http://service",
        "raise_on_unexpected_status": True,
        "httpx_args": {"transport": httpx.ASGITransport(app)},
    }
    clients = package("client")
    return clients.AuthenticatedClient(token=key, **options) if key else clients.Client(**options)


def file(package: Any, data: bytes) -> Any:
    return package("types").File(payload=io.BytesIO(data), file_name="scan.png", mime_type="image/png")


def form(package: Any, *contents: bytes) -> Any:
    return package("models").ReadUploadFilesBody(image=[file(package, data) for data in contents])


async def test_it_uploads_files(package: Any) -> None:
    read_upload = package("api.reading.read_upload")
    answer = await read_upload.asyncio(client=connected(package), body=form(package, PNG, PNG), words=True)
    assert [page.text for page in answer.pages] == ["row 1\nrow 2"] * 2
    assert answer.pages[0].file_name == "scan.png"
    assert answer.pages[0].regions[1].kind == package("models").Kind.HANDWRITTEN


def test_it_sends_raw_bodies_and_parameters(package: Any) -> None:
    """Without asyncio, for which the generator hands httpx a file that it does not take."""
    read_upload = package("api.reading.read_upload")
    client = connected(package).set_httpx_client(TestClient(create_api(InkReader(), Config())))
    answer = read_upload.sync_detailed(
        client=client,
        body=file(package, PNG),
        layout=package("models").Layout.LINE,
        prefer="wait=20",
        x_request_id="of-my-own",
    )
    assert len(answer.parsed.pages[0].regions) == 1
    assert (answer.headers["Preference-Applied"], answer.headers["X-Request-ID"]) == ("wait=20", "of-my-own")


async def test_it_sends_json(package: Any) -> None:
    read_encoded = package("api.reading.read_encoded")
    body = package("models").EncodedDocument(image=DATA_URL)
    assert (await read_encoded.asyncio(client=connected(package), body=body)).pages[0].width == 200


async def test_it_knows_problems(package: Any) -> None:
    read_upload = package("api.reading.read_upload")
    problem = await read_upload.asyncio(client=connected(package), body=form(package, b"text"))
    assert (problem.status, problem.type_) == (415, "/problems/unsupported_format")
    kind = await package("api.state.get_problem_kind").asyncio("overloaded", client=connected(package))
    assert kind.retry is True


async def test_it_asks_how_the_service_is(package: Any) -> None:
    assert (await package("api.state.get_health").asyncio(client=connected(package))).status == "alive"
    ready = await package("api.state.get_readiness").asyncio(client=connected(package))
    assert ready.stages.additional_properties == {"detection": True, "recognition.ink": True}


async def test_it_sends_its_key(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    monkeypatch.setenv("OCR_KEYS", entry("alice", key))
    config = Config(access=Access(keys=KeySource(environment="OCR_KEYS")))
    read_upload = package("api.reading.read_upload")
    refused = await read_upload.asyncio(client=connected(package, config), body=form(package, PNG))
    assert refused.status == 401
    answer = await read_upload.asyncio(client=connected(package, config, key), body=form(package, PNG))
    assert len(answer.pages) == 1
