"""The batch job on a real Ray, as a person runs it: broken off, resumed, mended; and with the weights."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import psutil
import pytest
import yaml

from cluster.fake_graph import local_config, with_fakes
from deployments.fakes import draw_page
from serve_app.batch.__main__ import LOST
from serve_app.batch.records import MANIFEST, Record

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300.0
DEADLY = 666


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    path = tmp_path / "fakes.yaml"
    deadly = {"faults": {DEADLY: "crashes"}}
    changed = with_fakes(local_config(), detection={"item_ms": 100}, recognition=deadly)
    path.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return path


def command(source: Path, target: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "serve_app.batch",
        str(source),
        str(target),
        "--quiet",
        "--workers",
        "1",
        *more,
    ]


def environment() -> dict[str, str]:
    # With a token Ray would write one into the home of whoever runs the tests.
    return {**os.environ, "RAY_AUTH_MODE": "disabled"}


def run(arguments: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True)
    return done.returncode, done.stderr


def save(path: Path, *pages: Sequence[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [PIL.Image.fromarray(draw_page(values)) for values in pages]
    first.save(path, save_all=bool(rest), **({"append_images": rest} if rest else {}))


def manifest(target: Path) -> dict[str, Record]:
    lines = (target / MANIFEST).read_text(encoding="utf-8").splitlines()
    records = [Record.model_validate_json(line) for line in lines]
    return {record.document: record for record in records}


def results(target: Path, suffix: str) -> dict[str, int]:
    """When each result was written, nanoseconds, by its path below the output."""
    found = target.rglob(f"*.{suffix}")
    return {
        str(path.relative_to(target)): path.stat().st_mtime_ns for path in found if "_batch" not in path.parts
    }


def test_a_job_goes_on_where_it_was_broken_off_and_survives_its_documents(
    tmp_path: Path, fakes: Path
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    for number in range(30):
        save(source / f"folder {number % 3}" / f"{number:02}.png", [number, 1000 + number])
    save(source / "two.tiff", [77], [88, 99])
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (source / "notes.txt").write_text("no document")
    arguments = command(source, target, "--config", str(fakes), "--format", "json", "--format", "text")

    break_off(arguments, lambda: len(results(target, "txt")) >= 4)
    kept = results(target, "txt")
    assert 4 <= len(kept) < 31

    save(source / "deadly.png", [DEADLY])
    code, said = run(arguments)
    assert code == 1, said
    assert "broken.png: unreadable_document" in said and f"deadly.png: {LOST}" in said
    assert f"2 failed (1 unreadable_document, 1 {LOST})" in said
    now = results(target, "txt")
    assert kept.items() <= now.items(), "what was read is not read again"
    assert len(now) == 31 and len(results(target, "json")) == 31
    for number in range(30):
        place = target / f"folder {number % 3}" / f"{number:02}.png"
        assert Path(f"{place}.txt").read_text().split() == [str(number), str(1000 + number)]
        (page,) = json.loads(Path(f"{place}.json").read_text())["pages"]
        assert [region["text"] for region in page["regions"]] == [str(number), str(1000 + number)]
    records = manifest(target)
    assert len(records) == 33 and records["two.tiff"].pages == 2
    assert records["broken.png"].status == "failed"

    save(source / "broken.png", [5])
    (source / "deadly.png").unlink()
    code, said = run(arguments)
    assert code == 0, said
    assert "32 documents, 31 read already" in said
    assert now.items() <= results(target, "txt").items()
    assert manifest(target)["broken.png"].results == ("broken.png.json", "broken.png.txt")


def test_the_shipped_weights_read_a_folder(tmp_path: Path) -> None:
    page = PIL.Image.new("RGB", (900, 300), "white")
    draw = PIL.ImageDraw.Draw(page)
    for row, line in enumerate(("Payment order", "Account number 40702810")):
        draw.text((80, 80 + 90 * row), line, fill="black", font=PIL.ImageFont.load_default(30))
    (tmp_path / "in").mkdir()
    page.save(tmp_path / "in" / "page.png")
    code, said = run(command(tmp_path / "in", tmp_path / "out", "--format", "text", "--format", "pdf"))
    assert code == 0, said
    text = (tmp_path / "out" / "page.png.txt").read_text(encoding="utf-8").lower()
    assert len({"payment", "order", "account", "number"} & set(re.findall(r"\w+", text))) >= 3, text
    assert (tmp_path / "out" / "page.png.pdf").read_bytes().startswith(b"%PDF")


def break_off(arguments: Sequence[str], enough: Callable[[], bool]) -> None:
    """Kill a job and all of its Ray, as a power cut would, once ``enough`` is so."""
    process = subprocess.Popen(arguments, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)
    try:
        wait_for(process, enough)
    finally:
        below = psutil.Process(process.pid).children(recursive=True)
        for each in (psutil.Process(process.pid), *below):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(below, timeout=180)


def wait_for(process: subprocess.Popen[bytes], enough: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not enough():
        assert process.poll() is None, f"the job ended before its time, exit code {process.returncode}"
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
