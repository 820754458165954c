"""The examples, against a real server that asks for a key and answers slowly at first."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from deployments.errors import Overloaded, StageFailed
from serve_app.api import create_api
from serve_app.keys import entry, new_key
from serve_app.middleware.config import Access, Cors, KeySource
from tests.api_client import PNG, THREE_PAGES, Config
from tests.browser.conftest import CHROMIUM_FLAGS
from tests.readers import InkReader
from tests.servers import served

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = new_key()
ROWS = [
    f"{page}\t{kind}\t0.75\trow {row}"
    for page in (1, 2, 3)
    for row, kind in ((1, "printed"), (2, "handwritten"))
]


class BusyAtFirst(InkReader):
    """Refuses the first document, to be asked again after a second."""

    async def stream(self, pages: Any, options: Any, *more: Any) -> Any:
        if not self.calls:
            self.calls.append(options)
            raise Overloaded("Busy.", retry_after_s=1)
        async for result in InkReader.stream(self, pages, options, *more):
            yield result


@pytest.fixture
def keys(tmp_path: Path) -> KeySource:
    (tmp_path / "keys").write_text(entry("alice", KEY))
    return KeySource(file=str(tmp_path / "keys"))


@pytest.fixture
def url(keys: KeySource) -> Iterator[str]:
    with served(create_api(BusyAtFirst(), Config(access=Access(keys=keys)))) as address:
        yield address


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.tif"
    path.write_bytes(THREE_PAGES)
    return path


def run(*command: str | Path, url: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SCRIPTORIUM_URL": url, "SCRIPTORIUM_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")


def test_curl(url: str, scan: Path) -> None:
    needs("curl")
    done = run("sh", EXAMPLES / "read.sh", scan, url=url)
    assert done.returncode == 0, done.stderr
    assert scan.with_name("scan.tif.txt").read_text() == "\n\f".join(["row 1\nrow 2"] * 3) + "\n"
    assert len(json.loads(scan.with_name("scan.tif.json").read_text())["pages"]) == 3
    assert scan.with_name("scan.tif.searchable.pdf").read_bytes().startswith(b"%PDF-")
    assert [next(iter(json.loads(line))) for line in done.stdout.splitlines()] == [
        "start", "page", "page", "page", "end"
    ]  # fmt: skip


def test_curl_without_a_key_is_refused_in_words(url: str, scan: Path) -> None:
    needs("curl")
    done = run("sh", EXAMPLES / "read.sh", scan, url=url, key="")
    assert done.returncode == 22 and "401" in done.stderr and "API key" in done.stderr
    assert [path.name for path in scan.parent.iterdir() if path.name.startswith("scan")] == ["scan.tif"]


def test_python(url: str, scan: Path) -> None:
    done = run(sys.executable, EXAMPLES / "read.py", scan, url=url)
    assert (done.returncode, done.stdout.splitlines()) == (0, ROWS), done.stderr
    refused = run(sys.executable, EXAMPLES / "read.py", scan, url="http://127.0.0.1:1")
    assert refused.returncode == 1 and refused.stderr.startswith("http://127.0.0.1:1 does not take")
    refused = run(sys.executable, EXAMPLES / "read.py", scan, url=url, key="wrong")
    assert refused.returncode == 1 and "API key is not known" in refused.stderr


def test_node(url: str, scan: Path) -> None:
    needs("node")
    done = run("node", EXAMPLES / "read.mjs", scan, url=url)
    assert (done.returncode, done.stdout.splitlines()) == (0, ROWS), done.stderr
    refused = run("node", EXAMPLES / "read.mjs", scan, url=url, key="wrong")
    assert refused.returncode == 1 and "API key is not known" in refused.stderr


def python_and_node() -> list[tuple[str | Path, ...]]:
    return [(sys.executable, EXAMPLES / "read.py"), ("node", EXAMPLES / "read.mjs")]


def every_program() -> list[tuple[str | Path, ...]]:
    return [*python_and_node(), ("sh", EXAMPLES / "read.sh")]


@pytest.mark.parametrize("program", every_program(), ids=["python", "node", "curl"])
@pytest.mark.parametrize("document", [None, "gone.pdf"])
def test_without_a_document_the_programs_say_what_they_need(
    program: tuple[str | Path, ...], document: str | None
) -> None:
    needs(str(program[0]))
    done = run(*program, *([document] if document else []), url="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    (told,) = done.stderr.splitlines()
    assert document in told if document else told.startswith("usage: ") and told.endswith(" DOCUMENT")


@pytest.mark.parametrize("program", every_program(), ids=["python", "node", "curl"])
def test_addresses_may_end_with_a_slash_and_names_hold_any_sign(
    program: tuple[str | Path, ...], tmp_path: Path
) -> None:
    """A proxy need not take //ocr for /ocr, and curl reads signs of its own into a form field."""
    needs("curl" if program[0] == "sh" else str(program[0]))
    scan = tmp_path / 'scan, 1;type="a" \\ @.tif'
    scan.write_bytes(THREE_PAGES)
    with served(strict(create_api(InkReader(), Config()))) as address:
        done = run(*program, scan, url=f"{address}/")
    assert done.returncode == 0, done.stderr


def strict(app: Any) -> Any:
    """The service, as it is behind a proxy that knows no paths but its own."""

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] != "/ocr":
            await Response("no such path", 404)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return gate


def without_end(how: str) -> Starlette:
    """A service whose answer stops after the first of two pages, in one of the ways that there are."""

    async def lines() -> AsyncIterator[str]:
        yield json.dumps({"start": {"request_id": "r", "page_count": 2, "engines": {}}}) + "\n"
        yield json.dumps({"page": {"page": 1, "regions": [], "text": "", "error": None}}) + "\n"
        if how != "between lines":
            yield '{"page": {"page"'
        if how == "connection lost":
            await asyncio.sleep(0.5)  # The client has begun to read by then.
            raise ConnectionError

    def ocr(request: Any) -> StreamingResponse:
        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return Starlette(routes=[Route("/ocr", ocr, methods=["POST"])])


@pytest.mark.parametrize("how", ["between lines", "within a line", "connection lost"])
@pytest.mark.parametrize("program", python_and_node(), ids=["python", "node"])
def test_an_answer_without_its_end_is_a_failure(
    program: tuple[str | Path, ...], how: str, scan: Path
) -> None:
    needs(str(program[0]))
    with served(without_end(how)) as address:
        done = run(*program, scan, url=address)
    assert done.returncode == 1
    assert "roken off: the answer has no end; read the document again" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_curl_tells_an_answer_without_its_end(scan: Path) -> None:
    needs("curl")
    with served(without_end("between lines")) as address:
        done = run("sh", EXAMPLES / "read.sh", scan, url=address)
    assert done.returncode == 1 and "broken off: read the document again" in done.stderr


def answering(*answers: tuple[int, str] | str) -> Starlette:
    """A service that gives each answer in turn, the last one again and again; text is JSON lines."""
    left = list(answers)

    def ocr(request: Any) -> Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        status, text = (200, answer) if isinstance(answer, str) else answer
        return Response(text, status)

    return Starlette(routes=[Route("/ocr", ocr, methods=["POST"])])


@pytest.mark.parametrize("program", python_and_node(), ids=["python", "node"])
def test_what_serve_itself_answers_is_tried_again(program: tuple[str | Path, ...], scan: Path) -> None:
    """A plain 500 or 503, in no problem document, while a part of the service is away."""
    needs(str(program[0]))
    ended = '{"start": {}}\n{"end": {}}\n'
    with served(answering((500, "Internal Server Error"), (503, ""), ended)) as address:
        done = run(*program, scan, url=address)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", python_and_node(), ids=["python", "node"])
def test_other_answers_that_are_no_problem_are_told_by_their_status(
    program: tuple[str | Path, ...], scan: Path
) -> None:
    needs(str(program[0]))
    for text in ("<h1>Not here</h1>", "[]", "null"):
        with served(answering((404, text))) as address:
            done = run(*program, scan, url=address)
        assert (done.returncode, done.stderr) == (1, "HTTP 404\n")


@pytest.mark.parametrize("program", python_and_node(), ids=["python", "node"])
def test_a_deadline_is_not_tried_again(program: tuple[str | Path, ...], scan: Path) -> None:
    needs(str(program[0]))
    problem = json.dumps({"title": "Late", "detail": "Too long.", "request_id": "r1"})
    with served(answering((504, problem), '{"end": {}}\n')) as address:
        done = run(*program, scan, url=address)
    assert (done.returncode, done.stderr) == (1, "Late: Too long. (request r1)\n")


@pytest.mark.parametrize("program", python_and_node(), ids=["python", "node"])
def test_what_could_not_be_read_is_told(program: tuple[str | Path, ...], scan: Path) -> None:
    needs(str(program[0]))
    failing = InkReader(page_errors={1: StageFailed("Lost.")}, region_errors={1: StageFailed("Torn.")})
    with served(create_api(failing, Config())) as address:
        done = run(*program, scan, url=address)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["1\tprinted\t0.75\trow 1", "3\tprinted\t0.75\trow 1"]
    assert done.stderr.splitlines() == ["page 1: Torn.", "page 2: Lost.", "page 3: Torn."]


LEAVES = """
import {{ Scriptorium }} from "{module}";
const service = new Scriptorium(process.env.SCRIPTORIUM_URL);
for await (const page of service.pages(new Blob(["scan"]))) break;
await new Promise((resolve) => setTimeout(resolve, 20000));
"""


def test_a_loop_that_is_left_early_ends_its_request() -> None:
    """What of a long document nobody waits for, the service need not read."""
    needs("node")
    ended = threading.Event()

    async def pages() -> AsyncIterator[str]:
        try:
            yield '{"start": {}}\n{"page": {"page": 1}}\n'
            await asyncio.Event().wait()
        finally:
            ended.set()

    def ocr(request: Any) -> Response:
        return StreamingResponse(pages())

    program = LEAVES.format(module=(EXAMPLES / "scriptorium.mjs").as_uri())
    with served(Starlette(routes=[Route("/ocr", ocr, methods=["POST"])])) as address:
        node = subprocess.Popen(
            ["node", "--input-type=module", "--eval", program],
            env={**os.environ, "SCRIPTORIUM_URL": address},
        )
        try:
            assert ended.wait(15) and node.poll() is None
        finally:
            node.kill()
            node.wait()


PROGRAM = """
async ([url, key, bytes]) => {
  const { Scriptorium } = await import("./scriptorium.mjs");
  const service = new Scriptorium(url, { key });
  const scan = new File([new Uint8Array(bytes)], "scan.png");
  const answer = await service.read(scan);
  const texts = [];
  for await (const page of service.pages(scan)) texts.push([page.file_name, page.text]);
  const refused = await service.read(new Blob(["text"])).catch((error) => error.problem.type);
  return [texts, refused, answer.headers.get("X-Request-ID"), (await answer.json()).request_id];
}
"""


def test_a_web_page_of_another_origin(keys: KeySource) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    routes = [
        Route("/", lambda request: HTMLResponse("<!doctype html><title>Another origin</title>")),
        Mount("/", StaticFiles(directory=EXAMPLES)),
    ]
    with served(Starlette(routes=routes)) as origin:
        access = Access(keys=keys, cors=Cors(origins=(origin,)))
        app = create_api(BusyAtFirst(), Config(access=access))
        with served(app) as url, playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
            page = browser.new_page()
            page.goto(origin)
            texts, refused, shown_id, request_id = page.evaluate(PROGRAM, [url, KEY, list(PNG)])
            browser.close()
    assert texts == [["scan.png", "row 1\nrow 2"]]
    assert refused == "/problems/unsupported_format"
    assert shown_id == request_id
