"""The command-line client against the real API in this process, and against services in trouble."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from deployments.errors import StageFailed
from serve_app import client
from serve_app.api import create_api
from serve_app.client import (
    FAILED,
    MISUSED,
    Client,
    Options,
    Refused,
    run,
)
from serve_app.client_files import Found, find_documents, targets
from serve_app.jobs.config import JobsConfig
from tests.api_client import PNG, Config
from tests.readers import InkReader


@pytest.fixture
def service() -> Iterator[httpx.Client]:
    app = create_api(InkReader(), Config())
    with TestClient(app, base_url="http://service") as http:
        yield http


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    path.write_bytes(PNG)
    return path


def test_a_document_is_read_into_a_file(service: httpx.Client, scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    assert run(Client(service), [scan], [out], Options({"format": "text"}, quiet=True)) == 0
    assert out.read_text(encoding="utf-8") == "row 1\nrow 2\n"


def test_one_reading_goes_to_standard_output(
    service: httpx.Client, scan: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(Client(service), [scan], [None], Options({"format": "csv"}, quiet=True)) == 0
    assert b"row 2" in capsysbinary.readouterr().out


def test_a_document_is_read_as_a_job(tmp_path: Path, scan: Path) -> None:
    jobs = JobsConfig(directory=str(tmp_path / "jobs"))
    app = create_api(InkReader(), Config(jobs=jobs))
    seen: list[tuple[int, int]] = []
    with TestClient(app, base_url="http://service") as http:
        asking = Client(http, sleep=lambda seconds: None)
        read = asking.read_as_job(scan, {"format": "text"}, lambda *pages: seen.append(pages))
        assert read.decode() == "row 1\nrow 2\n"
        out = tmp_path / "out.csv"
        options = Options({"format": "csv"}, quiet=True, as_job=True)
        assert run(asking, [scan], [out], options) == 0
    assert seen[-1] == (1, 1) and "row 2" in out.read_text(encoding="utf-8")
    assert not list((tmp_path / "jobs").glob("documents/*"))


def test_a_job_that_fails_is_told_and_removed(tmp_path: Path, scan: Path) -> None:
    app = create_api(
        InkReader(failure=StageFailed("Lost.")), Config(jobs=JobsConfig(directory=str(tmp_path / "jobs")))
    )
    with TestClient(app, base_url="http://service") as http:
        with pytest.raises(Refused, match=r"Lost\. \(request "):
            Client(http, sleep=lambda seconds: None).read_as_job(scan, {})
        with sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite3") as connection:
            assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
        connection.close()


def test_what_cannot_be_read_is_told_and_the_rest_is_read(
    service: httpx.Client, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(PNG[:40])
    documents, places = [broken, scan], [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert run(Client(service), documents, places, Options({"format": "text"}, quiet=True)) == FAILED
    assert not places[0].exists() and places[1].exists()
    told = capsys.readouterr().err
    assert "broken.png" in told and "cannot be decoded" in told and "(request " in told


def test_folders_and_patterns_are_expanded(tmp_path: Path) -> None:
    for name in ("b.pdf", "a.PNG", "notes.txt", "deep/c.tif", "empty/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    def below(*names: str) -> list[str]:
        return [str(document.below) for document in find_documents(names)]

    assert below(str(tmp_path)) == ["a.PNG", "b.pdf", "deep/c.tif"]
    assert below(f"{tmp_path}/*.pdf") == ["b.pdf"]
    assert below(f"{tmp_path}/**/*.tif") == ["c.tif"]
    assert below(f"{tmp_path}/notes.txt") == ["notes.txt"]
    assert below(f"{tmp_path}/*.pdf", str(tmp_path)) == ["b.pdf", "a.PNG", "deep/c.tif"]
    with pytest.raises(FileNotFoundError, match="no such file, folder or match"):
        find_documents([f"{tmp_path}/*.xyz"])
    with pytest.raises(FileNotFoundError, match="no documents in the folder"):
        find_documents([f"{tmp_path}/empty"])


def test_places_of_readings(tmp_path: Path) -> None:
    one, two = (Found(Path("in", name), Path(name)) for name in ("a.pdf", "b.pdf"))
    deep = Found(Path("in/deep/a.pdf"), Path("deep/a.pdf"))
    assert targets([one], None, "txt") == [None]
    assert targets([one], f"{tmp_path}/out.txt", "txt") == [tmp_path / "out.txt"]
    assert targets([one], str(tmp_path), "txt") == [tmp_path / "a.pdf.txt"]
    assert targets([one], f"{tmp_path}/new/", "txt") == [tmp_path / "new" / "a.pdf.txt"]
    assert targets([one, two, deep], f"{tmp_path}/new", "json") == [
        tmp_path / "new" / "a.pdf.json",
        tmp_path / "new" / "b.pdf.json",
        tmp_path / "new" / "deep" / "a.pdf.json",
    ]
    with pytest.raises(ValueError, match="need a folder"):
        targets([one, two], None, "txt")
    with pytest.raises(ValueError, match="same name"):
        targets([one, Found(Path("other/a.pdf"), Path("a.pdf"))], str(tmp_path), "txt")


def test_a_place_that_cannot_be_written_is_told(
    service: httpx.Client, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = scan / "out.txt"
    assert run(Client(service), [scan], [place], Options({"format": "text"}, quiet=True)) == FAILED
    assert "scan.png: " in capsys.readouterr().err


def test_answers_tell_the_name_of_the_document(service: httpx.Client, tmp_path: Path) -> None:
    scan = tmp_path / "чек №1.png"
    scan.write_bytes(PNG)
    answer = json.loads(Client(service).read(scan, {"format": "json"}))
    assert answer["pages"][0]["file_name"] == "чек №1.png"


def test_a_command_that_makes_no_sense_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.main([str(tmp_path / "missing.pdf")]) == MISUSED
    assert "missing.pdf" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        client.main(["scan.pdf", "--format", "docx"])


def test_a_key_that_no_header_carries_is_refused(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert client.main([str(scan), "--key", "ключ"]) == MISUSED
    assert "API key" in capsys.readouterr().err


def test_parameters_go_along(scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.URL] = []

    def read(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, content=b"read")

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **o: real(transport=httpx.MockTransport(read), **o))
    given = ["--engine", "crnn", "--text-layer", "prefer", "--words", "--format", "json"]
    assert client.main([str(scan), "-o", str(tmp_path / "out.json"), *given]) == 0
    assert dict(asked[0].params) == {
        "format": "json", "engine": "crnn", "text_layer": "prefer", "words": "true"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "variable", "sent"),
    [
        ([], None, None),
        (["--key", "a"], None, "Bearer a"),
        ([], "b", "Bearer b"),
        (["--key", "a"], "b", "Bearer a"),
    ],
)
def test_the_key_goes_along(
    arguments: list[str],
    variable: str | None,
    sent: str | None,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[httpx.Request] = []

    def read(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=b"read")

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **o: real(transport=httpx.MockTransport(read), **o))
    monkeypatch.delenv(client.KEY_VARIABLE, raising=False)
    if variable:
        monkeypatch.setenv(client.KEY_VARIABLE, variable)
    assert client.main([str(scan), "-o", str(tmp_path / "out.txt"), *arguments]) == 0
    assert requests[0].headers.get("authorization") == sent
