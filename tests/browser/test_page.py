"""The page at ``/`` in a real Chromium, over a real socket."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from deployments.errors import Overloaded, StageFailed
from serve_app.schemas import Layout
from tests.browser.conftest import Service

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

SAMPLE_TEXTS = [
    entry["text"]
    for entry in json.loads((Path(__file__).parent / "sample_form.json").read_text(encoding="utf-8"))
]
DESKTOP = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "en-US",
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}

expect = playwright.expect


@pytest.fixture(autouse=True)
def plain_reader(service: Service) -> None:
    service.reader.failure = None
    service.reader.gate = None
    service.reader.stages = {"detection": True}
    service.reader.page_errors = {}


both_sizes = pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Any, service: Service) -> Iterator[Any]:
    """The page, opened; it must neither report an error nor ask another host for anything."""
    context = browser.new_context(
        **getattr(request, "param", DESKTOP), permissions=["clipboard-read", "clipboard-write"]
    )
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    foreign: list[str] = []
    opened.on(
        "request",
        lambda sent: (
            foreign.append(sent.url) if not sent.url.startswith((service.url, "blob:", "data:")) else None
        ),
    )
    opened.goto(service.url)
    yield opened
    context.close()
    assert faults == [] and foreign == []


def upload(data: bytes, name: str = "scan.png") -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def encoded(image: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def rows(*colours: str) -> PIL.Image.Image:
    page = PIL.Image.new("RGB", (400, 300), "white")
    for number, colour in enumerate(colours):
        page.paste(colour, (40, 40 + 60 * number, 300, 70 + 60 * number))
    return page


def open_sample(page: Any) -> None:
    page.click("#sample")
    page.wait_for_selector("body[data-state=read]")


@both_sizes
def test_the_sample_is_read_and_shown(page: Any) -> None:
    open_sample(page)
    expect(page.locator("#lines .words")).to_have_text(SAMPLE_TEXTS)
    expect(page.locator("#boxes g")).to_have_count(len(SAMPLE_TEXTS))
    expect(page.locator(".chip")).to_have_text(["Print13", "Handwriting10", "Unsure1"])
    expect(page.locator("#timing")).to_contain_text("Request")


@both_sizes
def test_boxes_lie_over_their_lines_and_nothing_scrolls_sideways(page: Any) -> None:
    open_sample(page)
    image = page.locator("#image").bounding_box()
    title = page.locator("#boxes g polygon").first.bounding_box()
    x, y, width, height = json.loads((Path(__file__).parent / "sample_form.json").read_text())[0]["bbox"]
    scale = image["width"] / 1000
    assert image["height"] / scale == pytest.approx(1320, rel=0.01)
    # Centres: the browser counts the stroke into the box.
    assert title["x"] + title["width"] / 2 - image["x"] == pytest.approx((x + width / 2) * scale, abs=2)
    assert title["y"] + title["height"] / 2 - image["y"] == pytest.approx((y + height / 2) * scale, abs=2)
    assert title["width"] == pytest.approx(width * scale, abs=8)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_unsure_line_is_marked(page: Any) -> None:
    open_sample(page)
    expect(page.locator("#lines .unsure .share")).to_have_text(["52%"])
    page.click(".chip.unsure")
    expect(page.locator("#lines li:visible")).to_have_count(1)


def test_hovering_a_box_shows_its_text_and_lights_its_line(page: Any) -> None:
    open_sample(page)
    page.hover("#boxes g[data-index='3']")
    expect(page.locator("#tip")).to_contain_text("Смирнова")
    expect(page.locator("#tip")).to_contain_text("Handwriting 98%")
    expect(page.locator("#lines li[data-index='3']")).to_have_class("handwritten lit")


@both_sizes
def test_a_click_copies_a_line_and_a_button_the_whole_text(page: Any) -> None:
    open_sample(page)
    page.click("#boxes g[data-index='5']")
    expect(page.locator("#toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "Анна Викторовна"
    page.click("#copy")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('Thank you'))")


def test_without_a_clipboard_the_older_way_copies(page: Any) -> None:
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not secure')); }")
    open_sample(page)
    page.click("#lines li[data-index='0'] button")
    expect(page.locator("#toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == SAMPLE_TEXTS[0]


def test_kinds_can_be_hidden(page: Any) -> None:
    open_sample(page)
    page.click(".chip.printed")
    expect(page.locator("#lines li:visible")).to_have_count(10)
    expect(page.locator(".chip.printed")).to_have_attribute("aria-pressed", "false")


def test_the_answer_is_saved_in_any_format(page: Any) -> None:
    open_sample(page)
    with page.expect_download() as text:
        page.click("#save-text")
    assert text.value.suggested_filename == "sample.txt"
    assert "Имя, отчество" in Path(text.value.path()).read_text(encoding="utf-8")
    with page.expect_download() as answer:
        page.select_option("#save-as", label="JSON")
    saved = json.loads(Path(answer.value.path()).read_bytes())
    assert saved.keys() == {"request_id", "pages", "timings_ms", "engines"}
    assert len(saved["pages"][0]["regions"]) == len(SAMPLE_TEXTS)
    with page.expect_download() as document:
        page.select_option("#save-as", label="PDF")
    assert document.value.suggested_filename == "sample.pdf"
    assert Path(document.value.path()).read_bytes().startswith(b"%PDF")


@both_sizes
def test_the_text_tab_shows_the_page_in_reading_order(page: Any) -> None:
    open_sample(page)
    page.click("#tab-text")
    expect(page.locator("#text")).to_contain_text("Фамилия\tСмирнова", use_inner_text=False)
    expect(page.locator("#lines")).to_be_hidden()


def test_the_keyboard_is_enough(page: Any) -> None:
    page.focus("#sample")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=read]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#lines li[data-index='1'] button")).to_be_focused()
    expect(page.locator("#boxes g[data-index='1']")).to_have_class("printed lit")
    page.keyboard.press("Enter")
    assert page.evaluate("navigator.clipboard.readText()") == SAMPLE_TEXTS[1]
    page.keyboard.press("ArrowUp")
    expect(page.locator("#lines li[data-index='0'] button")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#welcome")).to_be_visible()


def test_the_language_is_switched_and_remembered(page: Any) -> None:
    open_sample(page)
    page.click("[data-language=ru]")
    expect(page.locator("#copy")).to_have_text("Копировать всё")
    expect(page.locator(".chip.handwritten")).to_have_text("Рукопись10")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator("#choose")).to_have_text("Выбрать файл")


def test_a_chosen_file_is_read_with_the_chosen_layout(page: Any, service: Service) -> None:
    page.check("input[value=line]", force=True)
    page.set_input_files("#file", upload(encoded(rows("black", "blue"), "PNG")))
    expect(page.locator("#lines .words")).to_have_text(["row 1"])
    assert service.reader.calls[-1].layout is Layout.LINE


def test_a_pasted_image_is_read(page: Any) -> None:
    data = list(encoded(rows("black", "blue", "black"), "PNG"))
    page.evaluate(
        """(data) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "pasted.png", {type: "image/png"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true}));
        }""",
        data,
    )
    expect(page.locator("#lines .words")).to_have_text(["row 1", "row 2", "row 3"])


def test_a_dropped_image_is_read(page: Any) -> None:
    transfer = page.evaluate_handle(
        """(data) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "dropped.png", {type: "image/png"}));
            return transfer;
        }""",
        list(encoded(rows("blue"), "PNG")),
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".veil")).to_be_visible()
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(page.locator("#lines .words")).to_have_text(["row 1"])


def test_what_is_not_a_file_is_declined_in_words(page: Any) -> None:
    page.evaluate("document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: new DataTransfer()}))")
    expect(page.locator("#toast")).to_have_text("That is not a file. Drop or paste an image.")


@both_sizes
def test_every_page_of_a_tiff_is_shown_though_browsers_cannot(page: Any) -> None:
    data = encoded(
        rows("black"), "TIFF", compression="tiff_lzw", save_all=True, append_images=[rows("blue", "black")]
    )
    page.set_input_files("#file", upload(data, "scan.tiff"))
    expect(page.locator("#pages button")).to_have_text(["1", "2"])
    expect(page.locator("#boxes text")).to_have_text(["row 1"])
    page.keyboard.press("PageDown")
    expect(page.locator("#pages [aria-current=true]")).to_have_text("2")
    expect(page.locator("#boxes text")).to_have_text(["row 1", "row 2"])
    page.click("#pages button:first-child")
    expect(page.locator("#boxes text")).to_have_text(["row 1"])


def test_a_page_that_failed_says_so(page: Any, service: Service) -> None:
    service.reader.page_errors = {1: StageFailed("The detection stage failed.")}
    data = encoded(
        rows("black"), "TIFF", compression="tiff_lzw", save_all=True, append_images=[rows("black")]
    )
    page.set_input_files("#file", upload(data, "scan.tiff"))
    page.click("#pages .failed")
    expect(page.locator("#lines .note")).to_have_text("The detection stage failed.")


def test_an_empty_page_says_so(page: Any) -> None:
    page.set_input_files("#file", upload(encoded(rows(), "PNG")))
    expect(page.locator("#lines .note")).to_have_text("No text was found on this page.")


@both_sizes
def test_a_refusal_is_explained_with_its_request_id(page: Any) -> None:
    with page.expect_response("**/ocr*") as refused:
        page.set_input_files("#file", upload(b"Dear Sir, this is no picture.", "letter.txt"))
    expect(page.locator("#trouble-title")).to_have_text("The document format is not supported")
    expect(page.locator("#trouble-detail")).to_contain_text("PDF, JPEG, PNG")
    expect(page.locator("#trouble-id")).to_contain_text(refused.value.headers["x-request-id"])
    expect(page.locator("#retry")).to_be_hidden()
    page.click("#dismiss")
    expect(page.locator("#welcome")).to_be_visible()


def test_a_failure_that_may_pass_can_be_tried_again(page: Any, service: Service) -> None:
    service.reader.failure = Overloaded("Busy.")
    page.set_input_files("#file", upload(encoded(rows("black"), "PNG")))
    expect(page.locator("#trouble-title")).to_have_text("The service is overloaded")
    service.reader.failure = None
    page.click("#retry")
    expect(page.locator("#lines .words")).to_have_text(["row 1"])


def test_a_service_that_is_gone_is_reported(page: Any) -> None:
    page.route("**/ocr*", lambda route: route.abort())
    page.set_input_files("#file", upload(encoded(rows("black"), "PNG")))
    expect(page.locator("#trouble-title")).to_have_text("The service does not answer")


def test_cancelling_withdraws_the_reading(page: Any, service: Service) -> None:
    before = service.reader.cancelled
    service.reader.gate = asyncio.Event()
    page.click("#sample")
    expect(page.locator("#reading")).to_contain_text("Reading")
    expect(page.locator("#image")).to_be_visible()
    expect(page.locator("#elapsed")).not_to_have_text("0 ms")
    page.click("#cancel")
    expect(page.locator("#welcome")).to_be_visible()
    for _ in range(100):
        if service.reader.cancelled > before:
            return
        page.wait_for_timeout(50)
    pytest.fail("the reading went on")


def test_a_cold_service_says_that_it_warms_up(page: Any, service: Service) -> None:
    service.reader.stages = {"detection": False}
    page.reload()
    expect(page.locator("#ready")).to_have_text("The models are warming up")
    service.reader.stages = {"detection": True}
    expect(page.locator("#ready")).to_be_hidden()


def test_the_reference_renders_offline(page: Any, service: Service) -> None:
    page.goto(f"{service.url}/docs")
    expect(page.locator(".opblock-summary-path")).to_have_count(5)
    page.locator(".opblock", has_text="/ocr").first.locator("button").first.click()
    expect(page.locator(".opblock-body").first).to_contain_text("problem+json")
