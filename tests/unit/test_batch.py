"""What a batch run has to do, and what it keeps of it; the reading itself is in tests/batch."""

from __future__ import annotations

import argparse
import json
import os
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from deployments.fakes import FakeRecogniser
from serve_app.batch.__main__ import FAILED, MISUSED, main, parser, settings_of, workers_of
from serve_app.batch.job import unit_size
from serve_app.batch.plan import (
    SETTINGS,
    OtherSettings,
    Settings,
    Task,
    claim,
    is_document,
    result_path,
    tasks,
)
from serve_app.batch.records import MANIFEST, Manifest, Record
from serve_app.batch.storage import Entry, Storage
from serve_app.batch.worker import Worker, WorkerOptions
from serve_app.schemas import OutputFormat
from tests.api_client import PNG
from tests.unit.test_in_process import FAKES

JSON, TEXT = OutputFormat.JSON, OutputFormat.TEXT
SOURCE = Storage("/documents")


def settings(*arguments: str) -> Settings:
    return settings_of(parser().parse_args(["in", "out", *arguments]))


def entry(path: str, hour: int | None = 0) -> Entry:
    return Entry(path, 10, None if hour is None else datetime(2026, 1, 1, hour, tzinfo=UTC))


def names(storage: Storage) -> list[str]:
    return [found.path for found in storage.entries()]


@pytest.mark.parametrize("uri", [False, True], ids=["path", "uri"])
def test_storage_gives_back_what_was_written(tmp_path: Path, uri: bool) -> None:
    storage = Storage(tmp_path.as_uri() if uri else str(tmp_path))
    storage.write("b/c/результат.txt", b"two")
    storage.write("a.txt", b"one")
    storage.write("a.txt", b"three")
    assert names(storage) == ["a.txt", "b/c/результат.txt"]
    assert (storage.read("a.txt"), storage.has("b"), storage.has("a.txt")) == (b"three", False, True)
    (first, _) = storage.entries()
    assert first.size_bytes == 5 and first.modified is not None


def test_one_file_is_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(b"x")
    (tmp_path / "page.png").write_bytes(b"page")
    storage = Storage(str(tmp_path / "page.png"))
    assert names(storage) == ["page.png"] and storage.read("page.png") == b"page"
    assert not storage.holds(Storage(str(tmp_path))), "its result may be written beside it"


def test_a_place_that_is_not_there_is_empty(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "new"))
    assert not storage.exists and names(storage) == []


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(str(tmp_path))
    storage.write("a.txt", b"old")

    class Full:
        type_name = "full"

        def __getattr__(self, name: str) -> Any:
            return getattr(fs.LocalFileSystem(), name)

        def move(self, part: str, target: str) -> None:
            raise OSError("no space left")

    monkeypatch.setattr(storage, "_files", Full())
    with pytest.raises(OSError, match="no space"):
        storage.write("a.txt", b"new")
    assert os.listdir(tmp_path) == ["a.txt"] and storage.read("a.txt") == b"old"


def test_parts_of_a_run_that_was_broken_off_are_no_results(tmp_path: Path) -> None:
    (tmp_path / f"a.png.json.part-{uuid.uuid4().hex}").write_bytes(b"{")
    # A document may be called so.
    (tmp_path / "report.part-1.pdf").write_bytes(b"%PDF")
    assert names(Storage(str(tmp_path))) == ["report.part-1.pdf"]


@pytest.mark.parametrize("place", ["gopher://old", "s4://bucket/x", "fsspec+nothing://x"])
def test_an_unknown_scheme_is_said(place: str) -> None:
    with pytest.raises(ValueError, match=re.escape(place)):
        Storage(place)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a.pdf", True), ("b/C.JPEG", True), ("a.txt", False), (".hidden.png", False), (".git/a.png", False)],
)
def test_documents_are_told_by_their_names(path: str, expected: bool) -> None:
    assert is_document(path) is expected


def test_only_what_has_no_fresh_result_is_read() -> None:
    documents = [
        entry("done.png"),
        entry("new.png"),
        entry("half.png"),
        entry("changed.png", 9),
        entry("odd.png", None),
    ]
    results = [
        entry(f"{name}.png.{suffix}", 5) for name in ("done", "changed", "odd") for suffix in ("json", "txt")
    ]
    results.append(entry("half.png.json", 5))
    left = list(tasks(documents, {result.path: result for result in results}, [JSON, TEXT], lambda _: False))
    assert left == [Task("new.png", 10), Task("half.png", 10), Task("changed.png", 10)]


def test_an_output_belongs_to_its_settings(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    claim(storage, settings(), SOURCE)
    claim(storage, settings(), SOURCE)
    with pytest.raises(OtherSettings, match=r"formats, query\.layout"):
        claim(storage, settings("--layout", "block", "--format", "text"), SOURCE)
    storage.write(SETTINGS, b"{")
    with pytest.raises(OtherSettings, match="is not what"):
        claim(storage, settings(), SOURCE)


def test_an_output_belongs_to_its_input(tmp_path: Path) -> None:
    """Scanners number alike: the results of one folder would pass for those of another."""
    storage = Storage(str(tmp_path))
    claim(storage, settings(), Storage("/scans/2024"))
    claim(storage, settings(), Storage("file:///scans/2024/"))
    with pytest.raises(OtherSettings, match="results of another input; choose another"):
        claim(storage, settings(), Storage("/scans/2025"))
    storage.write(SETTINGS, json.dumps(settings().described()).encode())
    claim(storage, settings(), Storage("/scans/2025"))  # An earlier version told no input.


def test_names_that_are_no_utf8_are_failures_and_no_obstacle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("счёт.pdf", "заметки.md"):
        (source / "deep" / os.fsdecode(name.encode("cp1251"))).write_bytes(b"x")
    (source / "good.pdf").write_bytes(b"x")
    storage = Storage(str(source))
    assert names(storage) == ["good.pdf"]
    assert [path for path in storage.nameless() if is_document(path)] == [r"deep/\xf1\xf7\xb8\xf2.pdf"]
    (source / "good.pdf").unlink()
    assert main([str(source), str(tmp_path / "out")]) == FAILED
    assert "its path is not UTF-8" in capsys.readouterr().err


def test_what_only_changes_speed_or_refusals_may_change_between_runs(tmp_path: Path) -> None:
    config = Path(parser().parse_args(["in", "out"]).config).read_text(encoding="utf-8")
    faster = tmp_path / "faster.yaml"
    faster.write_text(
        config.replace("max_items: 8", "max_items: 4").replace("max_pages: 500", "max_pages: 9"),
        encoding="utf-8",
    )
    surer = tmp_path / "surer.yaml"
    surer.write_text(config.replace("confidence: 0.3", "confidence: 0.4"), encoding="utf-8")
    storage = Storage(str(tmp_path / "out"))
    claim(storage, settings(), SOURCE)
    claim(storage, settings("--config", str(faster)), SOURCE)
    with pytest.raises(OtherSettings, match=r"tuning\.Detection\.confidence"):
        claim(storage, settings("--config", str(surer)), SOURCE)


def test_the_manifest_lives_over_runs(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    first = Manifest(storage)
    first.start([entry("a.png"), entry("b.png")], {"a.png", "b.png"}, [JSON])
    first.add(Record(document="b.png", status="failed", code="storage", detail="x"))
    first.add(Record(document="a.png", status="read", pages=3))
    first.write()
    storage.write(MANIFEST, storage.read(MANIFEST) + b'{"document": "tor')
    again = Manifest(storage)
    # b was read meanwhile by a run that left no record; c is new, and d's record is of no document.
    again.start([entry("a.png"), entry("b.png"), entry("c.png")], {"c.png"}, [JSON])
    again.write()
    lines = [Record.model_validate_json(line) for line in storage.read(MANIFEST).splitlines()]
    assert [(line.document, line.status, line.pages) for line in lines] == [
        ("a.png", "read", 3),
        ("b.png", "read", 0),
    ]
    assert lines[1].results == (result_path("b.png", JSON),)
    assert again.failures() == []


def test_a_document_replaced_by_an_older_file_is_read_again(tmp_path: Path) -> None:
    """Its results are newer than both: only the record tells that they are of another."""
    storage = Storage(str(tmp_path))
    manifest = Manifest(storage)
    documents = [
        entry("same.png", 2),
        entry("replaced.png", 2),
        entry("grown.png", 2),
        entry("unknown.png", 2),
    ]
    manifest.start(documents, {each.path for each in documents}, [JSON])
    for name in ("same", "replaced", "grown"):
        manifest.add(Record(document=f"{name}.png", status="read"))
    manifest.write()
    found = [documents[0], entry("replaced.png", 1), replace(documents[2], size_bytes=11), documents[3]]
    results = {f"{each.path}.json": entry(f"{each.path}.json", 5) for each in documents}
    left = tasks(found, results, [JSON], Manifest(storage).is_of_another)
    assert [task.path for task in left] == ["replaced.png", "grown.png"]
    # A run that is broken off before it comes to them leaves them to the next one.
    broken_off = Manifest(storage)
    broken_off.start(found, {"replaced.png", "grown.png"}, [JSON])
    assert not broken_off.knows("grown.png")
    broken_off.add(Record(document="replaced.png", status="read"))
    broken_off.write()
    again = Manifest(storage)
    assert [each.path for each in found if again.is_of_another(each)] == ["grown.png"]


def test_failures_are_counted_by_code(tmp_path: Path) -> None:
    manifest = Manifest(Storage(str(tmp_path)))
    for name, code in (("b", "storage"), ("a", "unreadable_document"), ("c", "storage")):
        manifest.add(Record(document=name, status="failed", code=code))
    assert [record.document for record in manifest.failures()] == ["a", "b", "c"]
    assert manifest.codes() == {"storage": 2, "unreadable_document": 1}


@pytest.mark.parametrize(("number", "size"), [(1, 4), (8000, 4), (20_000, 10), (1_000_000, 64)])
def test_units_are_small_but_not_too_many(number: int, size: int) -> None:
    assert unit_size(number) == size


@pytest.mark.parametrize(("text", "expected"), [("4", (4, 4)), ("2-16", (2, 16))])
def test_workers_are_a_number_or_a_range(text: str, expected: tuple[int, int]) -> None:
    assert workers_of(text) == expected


@pytest.mark.parametrize("text", ["0", "-1", "4-2", "many", "2-"])
def test_other_numbers_of_workers_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        workers_of(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{missing}", "{out}"], "there is no such folder or file"),
        (["gopher://a", "{out}"], "gopher"),
        (["{here}", "{out}", "--config", "{missing}"], "missing"),
        (["{here}", "{here}"], "results would be read as documents"),
        (["{here}", "{here}/below"], "results would be read as documents"),
        (["{here}", "{out}", "--pages", "7-x"], "pages"),
        (["{here}", "{out}", "--min-confidence", "3"], "min_confidence"),
    ],
)
def test_a_command_that_makes_no_sense_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "in").mkdir()
    places = {"missing": tmp_path / "missing", "here": tmp_path / "in", "out": tmp_path / "out"}
    assert main([argument.format(**places) for argument in arguments]) == MISUSED
    assert said in capsys.readouterr().err


def test_nothing_to_read_is_done_without_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no document")
    assert main([str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert "0 documents" in capsys.readouterr().err


def test_what_failed_is_read_again_though_an_earlier_file_left_results(tmp_path: Path) -> None:
    """Put in its place with an older date, and damaged: the results are newer, and not its own."""
    storage = Storage(str(tmp_path))
    manifest = Manifest(storage)
    manifest.start([entry("a.png")], {"a.png"}, [JSON])
    manifest.add(Record(document="a.png", status="failed", code="unreadable_document"))
    manifest.write()
    again = Manifest(storage)
    assert [*tasks([entry("a.png")], {"a.png.json": entry("a.png.json", 5)}, [JSON], again.is_to_be_read)]


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    fakes = settings().model_copy(update={"config": FAKES, "tuning": {}})
    (tmp_path / "a.png").write_bytes(PNG)
    return Worker(WorkerOptions(str(tmp_path), str(tmp_path / "out"), fakes, 1, 60.0))


def test_a_document_of_which_no_line_was_read_has_failed(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRecogniser, "forward", broken)
    (line,) = worker({"path": ["a.png"]})["record"]
    record = Record.model_validate_json(line)
    assert (record.status, record.code, record.results) == ("failed", "stage_failed", ())


def test_a_worker_whose_engine_broke_ends(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise SystemExit(code)

    def check_health() -> None:
        raise RuntimeError("the model fails on a blank image, too")

    monkeypatch.setattr(os, "_exit", end)
    assert len(worker({"path": ["a.png"]})["record"]) == 1
    monkeypatch.setattr(worker._engines, "check_health", check_health)
    with pytest.raises(SystemExit):
        worker({"path": ["a.png"]})


def broken(*_: object) -> None:
    raise RuntimeError("CUDA error")
