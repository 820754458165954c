"""Saving what was read in another format, in a real Chromium: what the service writes, and its troubles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import SampleReader
from tests.browser.uploads import (
    SCAN,
    THREE_PAGES,
    open_document,
    pdf,
    problem,
    rows,
    save_as,
    upload,
)

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def asked_of(page: Any) -> list[str]:
    """What is asked of the service from now on, as methods and paths."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if request.url.startswith("blob:"):
            return  # A picture of the strip, out of the browser's own memory.
        path = "/" + request.url.split("/", 3)[3].split("?")[0]
        asked.append(f"{request.method} {path}")

    page.on("request", note)
    return asked


def saved_as(page: Any, name: str) -> bytes:
    return Path(download_of(page, name).path()).read_bytes()


def download_of(page: Any, name: str) -> Any:
    with page.expect_download() as download:
        save_as(page, name)
    return download.value


def test_the_keyboard_reaches_every_format_and_saves_nothing_on_its_way(page: Any) -> None:
    """WCAG 2.2, 3.2.2: choosing is not acting; arrow keys choose in a closed list one after the other."""
    open_document(page, SCAN)
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    page.focus("#copy")
    page.keyboard.press("Tab")
    expect(page.locator("#save-as")).to_be_focused()
    for chosen in ("pdf", "csv"):
        page.keyboard.press("ArrowDown")
        expect(page.locator("#save-as")).to_have_value(chosen)
    page.keyboard.press("Tab")
    expect(page.locator("#save")).to_be_focused()
    assert downloads == []
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "scan.csv" and downloads == ["scan.csv"]
    expect(page.locator("#save-as")).to_have_value("csv")


def test_a_picture_is_named_after_its_own_file_and_page(page: Any) -> None:
    open_document(page, SCAN, upload(pdf(rows("black"), rows("blue")), "letter.pdf"))
    names = []
    for _ in range(3):
        names.append(download_of(page, "png").suggested_filename)
        page.click("#page-after", force=True)
    assert names == ["scan.png", "letter-1.png", "letter-2.png"]
    assert download_of(page, "text").suggested_filename == "scan.txt"


def test_text_is_saved_as_the_service_writes_it(page: Any) -> None:
    """Pages begin with form feeds; on the clipboard, to be pasted into letters, empty lines are between."""
    open_document(page, THREE_PAGES)
    written = page.request.post(
        f"{page.url}ocr?format=text",
        multipart={"file": {"name": "scan.tiff", "mimeType": "image/tiff", "buffer": THREE_PAGES["buffer"]}},
    )
    assert written.body().count(b"\f") == 2
    assert saved_as(page, "text") == written.body()
    page.click("#copy")
    expect(page.locator("#toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "row 1\n\nrow 1\nrow 2\n\nrow 1"


def test_what_is_saved_stays_until_the_browser_has_asked(page: Any) -> None:
    """Safari asks whether to download, and fetches the file only when that is answered."""
    page.clock.install()
    page.evaluate(
        """() => {
            window.revoked = [];
            const revoke = URL.revokeObjectURL;
            URL.revokeObjectURL = (url) => { window.revoked.push(url); revoke(url); };
        }"""
    )
    open_document(page, SCAN)
    saved = download_of(page, "text").url
    page.clock.run_for(30_000)
    assert saved not in page.evaluate("revoked")
    page.clock.run_for(60_000)
    assert saved in page.evaluate("revoked")


def test_what_is_told_of_saving_follows_the_language(page: Any, plain_reader: SampleReader) -> None:
    open_document(page, THREE_PAGES)
    plain_reader.gate = asyncio.Event()
    save_as(page, "pdf")
    expect(page.locator("#saving-text")).to_have_text("Preparing the file: 0 of 3 pages")
    page.click("#saving-cancel")
    plain_reader.gate = None
    page.route("**/jobs?*", lambda route: route.fulfill(**problem(500, "internal")))
    save_as(page, "pdf")
    expect(page.locator("#unsaved-text")).to_contain_text("Nothing was saved")
    page.click("[data-language=ru]")
    expect(page.locator("#unsaved-text")).to_have_text(
        "Файл не сохранён. Сбой сервиса. Повторите; если не поможет, сообщите номер запроса ниже. Запрос id-1"
    )
    expect(page.locator("#saving-text")).to_have_text("Секунду…", use_inner_text=False)


def test_several_pages_are_written_by_a_job_that_is_removed(page: Any) -> None:
    """A job has no deadline, and nothing stays at the service."""
    open_document(page, THREE_PAGES)
    asked = asked_of(page)
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as removed:
        assert saved_as(page, "pdf").startswith(b"%PDF")
    assert removed.value.status == 204
    (job,) = {path.split("/")[2] for _, path in map(str.split, asked) if path.startswith("/jobs/")}
    assert asked[0] == "POST /jobs" and asked[-2:] == [f"GET /jobs/{job}/result", f"DELETE /jobs/{job}"]
    expect(page.locator("#saving")).to_be_hidden()
    expect(page.locator("#unsaved")).to_be_hidden()


def test_one_page_is_written_in_one_request(page: Any) -> None:
    open_document(page, SCAN)
    asked = asked_of(page)
    table = saved_as(page, "csv")
    assert asked == ["POST /ocr"]
    # The mark by which Excel knows UTF-8, once, before the names of the columns.
    assert table.startswith(b"\xef\xbb\xbffile,") and table.count(b"\xef\xbb\xbf") == 1
    assert b"row 1" in table


@pytest.mark.parametrize("code", ["not_found", "too_many_jobs"])
def test_without_jobs_a_request_has_to_do(page: Any, code: str) -> None:
    refusal = problem(404) if code == "not_found" else problem(503, code, **{"Retry-After": "3600"})
    page.route("**/jobs*", lambda route: route.fulfill(**refusal))
    open_document(page, THREE_PAGES)
    asked = asked_of(page)
    assert b"row 3" not in saved_as(page, "csv")
    assert asked == ["POST /jobs", "POST /ocr"]


def test_progress_is_shown_and_can_be_cancelled(page: Any, plain_reader: SampleReader) -> None:
    open_document(page, THREE_PAGES)
    plain_reader.gate = asyncio.Event()
    save_as(page, "pdf")
    expect(page.locator("#saving-text")).to_have_text("Preparing the file: 0 of 3 pages")
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as removed:
        page.click("#saving-cancel")
    assert removed.value.status == 204
    expect(page.locator("#saving")).to_be_hidden()
    expect(page.locator("#unsaved")).to_be_hidden()


def test_another_document_ends_the_saving(page: Any, plain_reader: SampleReader) -> None:
    open_document(page, THREE_PAGES)
    plain_reader.gate = asyncio.Event()
    save_as(page, "pdf")
    expect(page.locator("#saving")).to_be_visible()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as removed:
        page.click("#again")
    assert removed.value.status == 204
    expect(page.locator("#saving")).to_be_hidden()


def test_a_busy_service_is_asked_again(page: Any) -> None:
    answers = [problem(503, "overloaded", **{"Retry-After": "3"}), {"status": 503, "body": "no problem"}]

    def answer(route: Any) -> None:
        route.fulfill(**answers.pop(0)) if answers else route.continue_()

    page.route("**/jobs?*", answer)
    open_document(page, THREE_PAGES)
    save_as(page, "pdf")
    expect(page.locator("#saving-text")).to_have_text("The service is busy. Trying again in 3 s…")
    with page.expect_download():
        expect(page.locator("#saving-text")).to_have_text("HTTP 503. Trying again in 4 s…")
    assert answers == []


@pytest.mark.parametrize("where", ["**/jobs?*", "**/jobs/*/result"])
def test_what_was_not_saved_is_told_and_can_be_tried_again(page: Any, where: str) -> None:
    page.route(where, lambda route: route.fulfill(**problem(500, "internal")))
    open_document(page, THREE_PAGES)
    save_as(page, "pdf")
    expect(page.locator("#unsaved-text")).to_have_text(
        "Nothing was saved: The service failed. Try again; if it fails again, report the request below. "
        "Request id-1"
    )
    expect(page.locator("#saving")).to_be_hidden()
    page.unroute(where)
    with page.expect_download():
        page.click("#unsaved-retry")
    expect(page.locator("#unsaved")).to_be_hidden()


def test_a_job_that_fails_is_told_in_the_words_of_its_problem(page: Any, plain_reader: SampleReader) -> None:
    open_document(page, THREE_PAGES)
    plain_reader.failure = ValueError("a fault of ours")
    save_as(page, "pdf")
    expect(page.locator("#unsaved-text")).to_contain_text("Nothing was saved: The service failed.")
