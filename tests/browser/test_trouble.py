"""What goes on and what goes wrong, as the page tells it in a real Chromium."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from deployments.errors import Overloaded
from tests.browser.conftest import DESKTOP, PHONE, SampleReader
from tests.browser.uploads import SCAN, THREE_PAGES, open_document, problem, send, until, upload

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

both_sizes = pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
KEY = "correct-horse"


@both_sizes
def test_the_page_is_shown_at_once_and_its_reading_can_be_cancelled(
    page: Any, plain_reader: SampleReader
) -> None:
    before, asked = plain_reader.cancelled, len(plain_reader.calls)
    plain_reader.gate = asyncio.Event()
    page.click("#sample")
    expect(page.locator("#doing")).to_have_text("Sending…")
    expect(page.locator("#image")).to_be_visible()
    expect(page.locator("#steps .now")).to_have_text("Send")
    expect(page.locator("#elapsed")).not_to_have_text("0.0 sec")
    until(page, lambda: len(plain_reader.calls) > asked)
    page.click("#cancel")
    expect(page.locator("#welcome")).to_be_visible()
    until(page, lambda: plain_reader.cancelled > before)


STREAM = """
    const real = window.fetch;
    window.fetch = (url, options) => {
        if (!String(url).startsWith("ocr")) return real(url, options);
        const body = new ReadableStream({ start(controller) {
            window.say = (line) => controller.enqueue(new TextEncoder().encode(JSON.stringify(line) + "\\n"));
            window.finish = () => controller.close();
            window.hangUp = () => controller.error(new TypeError("gone"));
            const aborted = new DOMException("", "AbortError");
            options.signal.addEventListener("abort", () => controller.error(aborted));
        } });
        return Promise.resolve(new Response(body));
    };
"""


@pytest.fixture
def told(page: Any) -> Any:
    """The page, with a service whose lines the test says: ``say`` one, ``finish`` or ``hangUp``."""
    page.evaluate("() => {" + STREAM + "}")
    return page


def start_of(pages: int) -> dict[str, Any]:
    return {"start": {"request_id": "id-2", "page_count": pages, "engines": {}}}


def read_page(number: int) -> dict[str, Any]:
    quad = [[40, 40], [300, 40], [300, 70], [40, 70]]
    region = {"bbox": {"x": 40, "y": 40, "width": 260, "height": 30}, "polygon": quad, "kind": "printed",
              "kind_confidence": 0.9, "text": f"line of {number}", "confidence": 0.9, "error": None,
              "words": []}  # fmt: skip
    return {"page": {"page": number, "file": 1, "file_name": "scan.pdf", "width": 400, "height": 300,
                     "regions": [region], "text": f"line of {number}", "error": None}}  # fmt: skip


def say(page: Any, *lines: dict[str, Any]) -> None:
    page.wait_for_function("() => window.say !== undefined")  # The page has begun to listen.
    for line in lines:
        page.evaluate("(line) => window.say(line)", line)


def test_progress_goes_by_stages_and_pages(told: Any) -> None:
    send(told, upload(b"%PDF-", "scan.pdf"))
    expect(told.locator("#doing")).to_have_text("Sending…")
    say(told, start_of(3), {"step": {"file": 1, "page": 1, "stage": "detection"}})
    expect(told.locator("#doing")).to_have_text("Reading page 1 of 3")
    expect(told.locator("#steps .now")).to_have_text("Find lines")
    expect(told.locator("#steps .done")).to_have_text(["Send", "Open"])
    first = told.evaluate("document.getElementById('bar').value")
    say(told, {"step": {"file": 1, "page": 1, "stage": "recognition"}})
    expect(told.locator("#steps .now")).to_have_text("Read")
    assert told.evaluate("document.getElementById('bar').value") > first
    say(told, read_page(1))
    # The first page can be looked at while the others are read.
    expect(told.locator("#doing")).to_have_text("Reading page 2 of 3")
    expect(told.locator("#rows .words")).to_have_text(["line of 1"])
    expect(told.locator("#progress")).to_be_visible()


def test_the_strip_is_drawn_once_and_grows(told: Any) -> None:
    """Pages of a long document come by the hundred: those that are there are not made anew."""
    send(told, upload(b"%PDF-", "scan.pdf"))
    say(told, start_of(3), read_page(1))
    expect(told.locator("#strip .read")).to_have_text(["1"])
    told.evaluate("window.first = document.querySelector('#strip button')")
    say(told, read_page(2))
    expect(told.locator("#strip .read")).to_have_text(["1", "2"])
    assert told.evaluate("window.first === document.querySelector('#strip button')")
    told.click("#strip button:nth-child(2)")
    expect(told.locator("#rows .words")).to_have_text(["line of 2"])
    # Another document has a strip of its own.
    told.click("#again")
    told.evaluate("() => { delete window.say; }")  # The next request brings its own.
    send(told, upload(b"%PDF-", "other.pdf"))
    say(told, start_of(2), read_page(1))
    expect(told.locator("#strip button")).to_have_text(["1"])


def test_pages_that_were_read_stay_when_the_rest_is_cancelled(told: Any) -> None:
    send(told, upload(b"%PDF-", "scan.pdf"))
    say(told, start_of(3), read_page(1), {"step": {"file": 1, "page": 2, "stage": "detection"}})
    expect(told.locator("#rows .words")).to_have_text(["line of 1"])
    told.keyboard.press("Escape")
    expect(told.locator("#broken-text")).to_have_text("Cancelled: 1 of 3 pages were read.")
    expect(told.locator("#rows .words")).to_have_text(["line of 1"])
    expect(told.locator("#progress")).to_be_hidden()
    told.click("[data-language=ru]")
    expect(told.locator("#broken-text")).to_have_text("Отменено. Прочитано страниц: 1 из 3.")


def test_a_connection_that_breaks_keeps_the_pages(told: Any) -> None:
    send(told, upload(b"%PDF-", "scan.pdf"))
    say(told, start_of(2), read_page(1))
    expect(told.locator("#rows .words")).to_have_text(["line of 1"])
    told.evaluate("window.hangUp()")
    expect(told.locator("#broken-text")).to_have_text(
        "Reading broke off after 1 of 2 pages: The service does not answer."
    )


def test_an_answer_without_its_end_is_none(told: Any) -> None:
    """The connection ended as if all were well, say by a proxy: pages may be missing."""
    send(told, upload(b"%PDF-", "scan.pdf"))
    say(told, start_of(2), read_page(1))
    told.evaluate("window.finish()")
    expect(told.locator("#broken-text")).to_have_text(
        "Reading broke off after 1 of 2 pages: The connection broke off."
    )


def test_a_reading_that_breaks_off_can_be_begun_again(page: Any, plain_reader: SampleReader) -> None:
    plain_reader.refuse_after = 2
    open_document(page, THREE_PAGES)
    expect(page.locator("#broken-text")).to_have_text(
        "Reading broke off after 2 of 3 pages: The service is busy."
    )
    expect(page.locator("#page-number")).to_have_text("1 / 2")
    plain_reader.refuse_after = None
    page.click("#broken-retry")
    expect(page.locator("#page-number")).to_have_text("1 / 3")
    expect(page.locator("#broken")).to_be_hidden()


@both_sizes
def test_a_refusal_is_explained_with_its_request_id(page: Any) -> None:
    with page.expect_response("**/ocr*") as refused:
        send(page, upload(b"Dear Sir, this is no picture.", "letter.txt"))
    expect(page.locator("#trouble-title")).to_have_text("This kind of file is not supported")
    expect(page.locator("#trouble-advice")).to_contain_text("PDF or a picture")
    expect(page.locator("#trouble-detail")).to_contain_text("The bytes are not a document")
    expect(page.locator("#trouble-id")).to_contain_text(refused.value.headers["x-request-id"])
    expect(page.locator("#retry")).to_be_hidden()
    expect(page.locator("#dismiss")).to_be_focused()
    colours = "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(dismiss))"
    assert len(set(page.evaluate(colours))) == 2
    page.click("#trouble summary")
    expect(page.locator("#trouble-detail")).to_be_visible()
    page.click("[data-language=ru]")
    expect(page.locator("#trouble-title")).to_have_text("Такие файлы не поддерживаются")
    page.click("#dismiss")
    expect(page.locator("#welcome")).to_be_visible()


def test_of_several_files_the_one_at_fault_is_named(page: Any) -> None:
    send(page, SCAN, upload(b"Dear Sir", "letter.txt"))
    expect(page.locator("#trouble-detail")).to_be_visible()
    expect(page.locator("#trouble-detail")).to_contain_text("File 2 (letter.txt): ")


@pytest.mark.parametrize(
    ("status", "code", "title"),
    [
        (413, "payload_too_large", "Документ слишком большой"),
        (418, "something_new", "T."),
    ],
)
def test_a_problem_has_a_sentence_in_russian(page: Any, status: int, code: str, title: str) -> None:
    page.click("[data-language=ru]")
    page.route("**/ocr*", lambda route: route.fulfill(**problem(status, code)))
    send(page, SCAN)
    expect(page.locator("#trouble-title")).to_have_text(title)
    expect(page.locator("#trouble-id")).to_have_text("Запрос id-1")


def test_an_answer_of_a_proxy_is_told_by_its_status(page: Any) -> None:
    page.route("**/ocr*", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    send(page, SCAN)
    expect(page.locator("#trouble-title")).to_have_text("HTTP 502")
    expect(page.locator("#retry")).to_be_visible()


def test_a_busy_service_is_asked_again_when_it_says(page: Any, plain_reader: SampleReader) -> None:
    """Retry-After is counted down by a clock of the test's own, and then the document is sent again."""
    page.clock.install(time=datetime(2026, 1, 1))
    page.clock.pause_at(datetime(2026, 1, 1, 1))
    waits = iter(["30", "7"])
    answers: list[str] = []

    def answer(route: Any) -> None:
        wait = next(waits, None)
        answers.append(wait or "read")
        route.fulfill(**problem(503, "overloaded", **{"Retry-After": wait})) if wait else route.continue_()

    page.route("**/ocr*", answer)
    send(page, SCAN)
    expect(page.locator("#trouble-title")).to_have_text("The service is busy")
    expect(page.locator("#trouble-count")).to_have_text("Trying again in 30 s…")
    page.clock.run_for(29_000)
    expect(page.locator("#trouble-count")).to_have_text("Trying again in 1 s…")
    assert answers == ["30"]
    page.clock.run_for(1_000)
    expect(page.locator("#trouble-count")).to_have_text("Trying again in 7 s…")
    page.clock.run_for(7_000)
    expect(page.locator("#desk")).to_be_visible()
    page.clock.resume()
    expect(page.locator("#rows .words")).to_have_text(["row 1"])
    assert answers == ["30", "7", "read"]


def test_waiting_ends_with_another_document(page: Any, plain_reader: SampleReader) -> None:
    plain_reader.failure = Overloaded("Busy.", retry_after_s=50)
    send(page, SCAN)
    expect(page.locator("#trouble-count")).to_be_visible()
    plain_reader.failure = None
    page.click("#retry")
    expect(page.locator("#rows .words")).to_have_text(["row 1"])


def test_a_service_that_is_gone_is_reported(page: Any) -> None:
    page.route("**/ocr*", lambda route: route.abort())
    send(page, SCAN)
    expect(page.locator("#trouble-title")).to_have_text("The service does not answer")
    page.unroute("**/ocr*")
    page.click("#retry")
    expect(page.locator("#rows .words")).to_have_text(["row 1"])


def with_key(route: Any) -> None:
    if route.request.headers.get("x-api-key") == KEY:
        route.continue_()
    else:
        route.fulfill(**problem(401, "unauthorized"))


def test_a_key_is_asked_for_and_kept_for_the_tab_alone(page: Any) -> None:
    page.route("**/ocr*", with_key)
    send(page, SCAN)
    expect(page.locator("#key-dialog")).to_be_visible()
    expect(page.locator("#key-wrong")).to_be_hidden()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-wrong")).to_be_visible()
    page.fill("#key", KEY)
    page.click("#key-form [type=submit]")
    expect(page.locator("#rows .words")).to_have_text(["row 1"])
    assert page.evaluate("Object.values(sessionStorage)") == [KEY]
    assert KEY not in page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
    page.reload()
    send(page, SCAN)
    expect(page.locator("#rows .words")).to_have_text(["row 1"])


def test_a_key_in_cyrillic_letters_is_not_sent(page: Any) -> None:
    """No header carries them, so the browser would report a service that does not answer, again and again."""
    page.evaluate("sessionStorage.setItem('scriptorium.key', 'пароль')")
    page.route("**/ocr*", with_key)
    send(page, SCAN)
    expect(page.locator("#key-dialog")).to_be_visible()
    expect(page.locator("#key-wrong")).to_be_hidden()
    page.keyboard.insert_text("сщккусе-рщкыу")
    page.keyboard.press("Enter")
    expect(page.locator("#key-wrong")).to_have_text(
        "A key has no such letters or spaces: check the keyboard layout."
    )
    expect(page.locator("#key")).to_be_focused()
    page.keyboard.insert_text(KEY)  # In the place of the other, which is selected.
    page.keyboard.press("Enter")
    expect(page.locator("#rows .words")).to_have_text(["row 1"])


def test_a_key_is_kept_once_it_has_worked(page: Any) -> None:
    page.route("**/ocr*", with_key)
    send(page, SCAN)
    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-wrong")).to_have_text("The service does not know this key.")
    page.click("#key-cancel")
    assert page.evaluate("Object.values(sessionStorage)") == []


def test_without_a_key_the_refusal_stands(page: Any) -> None:
    page.route("**/ocr*", with_key)
    send(page, SCAN)
    page.click("#key-cancel")
    expect(page.locator("#trouble-title")).to_have_text("An API key is needed")
    expect(page.locator("#retry")).to_be_visible()


def test_a_cold_service_says_that_it_warms_up(page: Any, plain_reader: SampleReader) -> None:
    plain_reader.stages = {"detection": False}
    page.reload()
    expect(page.locator("#ready")).to_have_text("The service is starting")
    plain_reader.stages = {"detection": True}
    expect(page.locator("#ready")).to_be_hidden()
