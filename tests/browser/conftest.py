"""The API on a real socket and a real Chromium, one of each for all tests of a file.

Both end with the file and not with the session: the driver keeps an event loop running in the
main thread, in which no asynchronous test after it could start its own.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from deployments.errors import Overloaded
from deployments.geometry import quad_from_box
from deployments.types import Image, Kind
from serve_app.api import create_api
from serve_app.config import AppConfig
from serve_app.jobs.config import JobsConfig
from serve_app.pages import SourcePage
from serve_app.reader import ReadOptions
from serve_app.results import PageResult, Region
from tests.readers import InkReader

HERE = Path(__file__).parent
SAMPLE_SIZE_PX = (1320, 1000)
# What a container without a display or a GPU needs, and no traffic of the browser's own.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What a loaded machine may take; nothing waits so long where it succeeds.
PATIENCE_MS = 30_000


@dataclass(slots=True)
class SampleReader(InkReader):
    """Knows the sample form by heart, and is unsure of its signature; reads rows of ink elsewhere.

    With ``refuse_after`` a reading breaks off after so many pages.
    """

    refuse_after: int | None = None

    async def stream(
        self, pages: AsyncIterator[SourcePage], options: ReadOptions
    ) -> AsyncGenerator[PageResult]:
        async for result in InkReader.stream(self, pages, options):
            if result.index == self.refuse_after:
                raise Overloaded("Full.", retry_after_s=2)
            yield result

    def _page(self, index: int, page: Image, whole_line: bool) -> PageResult:
        if page.shape[:2] != SAMPLE_SIZE_PX or whole_line:
            return InkReader._page(self, index, page, whole_line)
        truth = json.loads((HERE / "sample_form.json").read_text(encoding="utf-8"))
        regions = [
            Region(
                quad_from_box(tuple(entry["bbox"])),
                0.97,
                Kind(entry["kind"]),
                0.98,
                entry["text"],
                0.99 - 0.013 * (number % 9),
                "crnn",
            )
            for number, entry in enumerate(truth)
        ]
        signature = regions[-1]
        regions[-1] = Region(signature.quad, 0.83, signature.kind, 0.91, signature.text, 0.52, "crnn")
        return PageResult(index, 1000, 1320, regions=tuple(regions))


@dataclass(slots=True)
class Service:
    """A served API: its address and the reader behind it."""

    url: str
    reader: SampleReader = field(default_factory=SampleReader)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    jobs = JobsConfig(directory=str(tmp_path_factory.mktemp("jobs")))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        served = Service(f"http://127.0.0.1:{listening.getsockname()[1]}")
        api = create_api(served.reader, AppConfig(jobs=jobs))
        server = uvicorn.Server(uvicorn.Config(api, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield served
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


DESKTOP = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "locale": "en-US",
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@pytest.fixture
def plain_reader(service: Service) -> SampleReader:
    """The reader, as it is when nothing goes wrong."""
    reader = service.reader
    reader.failure = reader.gate = None
    reader.stages = {"detection": True}
    reader.page_errors, reader.region_errors = {}, {}
    reader.refuse_after = None
    return reader


@pytest.fixture
def page(
    request: pytest.FixtureRequest, browser: Any, service: Service, plain_reader: SampleReader
) -> Iterator[Any]:
    """The page, opened; it must neither report an error nor ask another host for anything."""
    context = browser.new_context(
        **getattr(request, "param", DESKTOP), permissions=["clipboard-read", "clipboard-write"]
    )
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.extend(_fault(message)))
    foreign: list[str] = []
    opened.on("request", lambda sent: foreign.extend(_foreign(sent.url, service.url)))
    opened.goto(service.url)
    yield opened
    context.close()
    assert faults == [] and foreign == []


def _fault(message: Any) -> list[str]:
    """A refused request is reported as an error too, and is none of the page."""
    is_fault = message.type in ("error", "warning") and "Failed to load resource" not in message.text
    return [message.text] if is_fault else []


def _foreign(asked: str, own: str) -> list[str]:
    return [] if asked.startswith((own, "blob:", "data:")) else [asked]
