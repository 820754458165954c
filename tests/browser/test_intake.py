"""What cannot be sent, as the page in a real Chromium says it before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.uploads import SAMPLE, SCAN, rows, send, upload
from tests.pictures import encoded

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def test_an_offline_sample_is_told(page: Any) -> None:
    page.route("**/sample.jpg", lambda route: route.abort())
    page.click("#sample")
    expect(page.locator("#trouble-title")).to_have_text("The service does not answer")
    page.unroute("**/sample.jpg")
    page.click("#retry")
    expect(page.locator("#rows .words")).to_have_count(len(SAMPLE))


def is_told(page: Any, title: str, advice: str) -> None:
    """A refusal by the page itself: nothing was sent, and sending the same again would not help."""
    expect(page.locator("#trouble-title")).to_have_text(title)
    expect(page.locator("#trouble-advice")).to_have_text(advice)
    expect(page.locator("#retry")).to_be_hidden()


@pytest.fixture
def limited(page: Any) -> Iterator[Any]:
    """The page of a service that takes 2 files and half a megabyte; it must send nothing."""
    page.evaluate("Object.assign(document.body.dataset, {maxFiles: 2, maxBodyBytes: 2 ** 19})")
    sent: list[str] = []
    page.on("request", lambda request: sent.extend([request.url] if "/ocr" in request.url else []))
    yield page
    assert sent == []


def test_too_many_files_are_not_sent(limited: Any) -> None:
    send(limited, SCAN, SCAN, SCAN)
    is_told(
        limited,
        "These are too many files",
        "The service takes 2 at once, and these are 3: send them in parts.",
    )


def test_what_is_too_large_is_not_sent(limited: Any) -> None:
    """The service would close the connection, which the browser reports as if nothing answered."""
    limited.evaluate("document.body.dataset.maxJobBytes = 0")
    send(limited, upload(bytes(3 * 2**18), "scan.pdf"), SCAN)
    too_much = "send fewer pages, or pictures of a lower resolution."
    is_told(limited, "This is too much at once", f"The service takes 0.5 MB, and this is 0.8 MB: {too_much}")
    limited.click("[data-language=ru]")
    expect(limited.locator("#trouble-advice")).to_contain_text("не больше 0,5 МБ, а здесь 0,8 МБ")


def test_what_a_job_would_take_is_told_so(limited: Any) -> None:
    send(limited, upload(bytes(3 * 2**18), "scan.pdf"))
    as_job = "send fewer pages, or all of it as a job (POST /jobs)."
    told = f"This page sends up to 0.5 MB, and this is 0.8 MB: {as_job}"
    is_told(limited, "This is too much at once", told)


def test_an_empty_file_is_not_sent(limited: Any) -> None:
    send(limited, upload(b"", "empty.pdf"))
    nothing = "empty.pdf has nothing in it. A folder cannot be sent either: choose the files in it."
    is_told(limited, "The file is empty", nothing)


def test_a_folder_is_not_sent(limited: Any, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "scan.png").write_bytes(encoded(rows("black")))
    driver = limited.context.new_cdp_session(limited)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        driver.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 400, "data": data})
    meanwhile = "scans is a folder, or was moved or changed meanwhile: choose documents once more."
    is_told(limited, "A file cannot be opened", meanwhile)
