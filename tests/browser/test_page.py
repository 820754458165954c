"""The page at ``/`` in a real Chromium, over a real socket: a document in, its lines out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployments.errors import StageFailed
from serve_app.schemas import Layout
from tests.browser.conftest import DESKTOP, PHONE, SampleReader, Service
from tests.browser.uploads import (
    SAMPLE,
    SAMPLE_TEXTS,
    open_document,
    open_sample,
    pixel,
    rows,
    save_as,
    tiff,
    transfer_of,
    until,
    upload,
    wait_until_read,
)
from tests.pictures import encoded

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

SMALL_PHONE = {**PHONE, "viewport": {"width": 320, "height": 640}}
LARGE_PHONE = {**PHONE, "viewport": {"width": 390, "height": 780}}
both_sizes = pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)


@both_sizes
def test_the_sample_is_read_and_shown(page: Any) -> None:
    open_sample(page)
    expect(page.locator("#rows .words")).to_have_text(SAMPLE_TEXTS)
    expect(page.locator("#boxes g[data-index]")).to_have_count(len(SAMPLE_TEXTS))
    expect(page.locator(".chip")).to_have_text(["Print13", "Handwriting10", "To check1"])
    expect(page.locator("#timing")).to_contain_text("Request")
    expect(page.locator("#live")).to_have_text("Read: 23 lines, 1 of them to check.")


@both_sizes
def test_boxes_lie_over_their_lines_and_nothing_scrolls_sideways(page: Any) -> None:
    open_sample(page)
    image = page.locator("#image").bounding_box()
    title = page.locator("#boxes g[data-index='0'] path").bounding_box()
    x, y, width, height = SAMPLE[0]["bbox"]
    scale = image["width"] / 1000
    assert image["height"] / scale == pytest.approx(1320, rel=0.01)
    # Centres: the browser counts the stroke into the box.
    assert title["x"] + title["width"] / 2 - image["x"] == pytest.approx((x + width / 2) * scale, abs=2)
    assert title["y"] + title["height"] / 2 - image["y"] == pytest.approx((y + height / 2) * scale, abs=2)
    assert title["width"] == pytest.approx(width * scale, abs=8)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("page", [PHONE, SMALL_PHONE, LARGE_PHONE], ids=["360", "320", "390"], indirect=True)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_screen_fits_a_phone(page: Any, language: str, plain_reader: SampleReader) -> None:
    width_px = page.viewport_size["width"]
    # A phone zooms out of a page that is wider than its screen, so that innerWidth grows with it.
    fits = f"Math.max(document.documentElement.scrollWidth, innerWidth) <= {width_px}"
    page.click(f"[data-language={language}]")
    assert page.evaluate(fits)
    open_document(page, upload(tiff(rows("black"), rows("blue")), "scan.tiff"))
    assert page.evaluate(fits)
    for part in ("#again", "#pager", "#show-boxes", "#search", "#save-as", "#save", "#cancel, #copy"):
        box = page.locator(part).last.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width_px
    one_row = [page.locator(part).bounding_box()["y"] for part in ("#tab-lines", "#tab-text")]
    assert one_row[0] == one_row[1]
    expect(page.locator("#again")).to_have_accessible_name(
        {"ru": "Новый документ", "en": "New document"}[language]
    )
    page.set_input_files("#file", upload(b"no picture", "letter.txt"))
    expect(page.locator("#trouble")).to_be_visible()
    assert page.evaluate(fits)


def test_kinds_differ_by_more_than_colour(page: Any) -> None:
    """Handwriting stands on a wavy line, and each kind has a sign and a name of its own in the list."""
    open_sample(page)
    outline = {
        kind: page.get_attribute(f"#boxes .{kind} path >> nth=0", "d") for kind in ("printed", "handwritten")
    }
    assert "q" in outline["handwritten"] and "q" not in outline["printed"]
    signs = {kind: page.get_attribute(f"#rows .{kind} use >> nth=0", "href") for kind in outline}
    assert signs == {"printed": "#icon-print", "handwritten": "#icon-hand"}
    expect(page.locator("#rows .handwritten .unseen").first).to_have_text("Handwriting")


def test_an_unsure_line_is_marked(page: Any) -> None:
    open_sample(page)
    expect(page.locator("#rows .unsure .share")).to_have_text(["52%"])
    expect(page.locator("#rows .icon-unsure")).to_have_count(1)
    page.click(".chip.unsure")
    expect(page.locator("#rows li:visible")).to_have_count(1)


def test_kinds_can_be_hidden(page: Any) -> None:
    open_sample(page)
    page.click(".chip.printed")
    expect(page.locator("#rows li:visible")).to_have_count(10)
    expect(page.locator("#boxes g:visible path")).to_have_count(10)
    expect(page.locator(".chip.printed")).to_have_attribute("aria-pressed", "false")


def test_a_box_and_its_line_light_each_other(page: Any) -> None:
    open_sample(page)
    page.hover("#boxes g[data-index='3']")
    expect(page.locator("#tip")).to_contain_text("Смирнова")
    expect(page.locator("#tip")).to_contain_text("Handwriting 98%")
    expect(page.locator("#rows li[data-index='3']")).to_have_class("handwritten lit")
    page.hover("#rows li[data-index='4'] button")
    expect(page.locator("#boxes g[data-index='4']")).to_have_class("printed lit")
    expect(page.locator("#boxes g[data-index='3']")).to_have_class("handwritten")


def test_pointing_at_a_box_brings_its_line_into_view(page: Any) -> None:
    open_sample(page)
    last = len(SAMPLE_TEXTS) - 1
    expect(page.locator(f"#rows li[data-index='{last}']")).not_to_be_in_viewport()
    page.hover(f"#boxes g[data-index='{last}']")
    expect(page.locator(f"#rows li[data-index='{last}']")).to_be_in_viewport()


@both_sizes
def test_a_click_copies_a_line_and_a_button_the_whole_text(page: Any) -> None:
    open_sample(page)
    page.click("#boxes g[data-index='5']")
    expect(page.locator("#toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "Анна Викторовна"
    page.click("#copy")
    until(page, lambda: "Thank you" in page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_finger_gets_the_text_of_a_box_shown(page: Any) -> None:
    open_sample(page)
    page.tap("#boxes g[data-index='3']")
    expect(page.locator("#tip")).to_contain_text("Смирнова")


def test_without_a_clipboard_the_older_way_copies(page: Any) -> None:
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not secure')); }")
    open_sample(page)
    page.click("#rows li[data-index='0'] button")
    expect(page.locator("#toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == SAMPLE_TEXTS[0]


def test_the_answer_is_saved_in_any_format(page: Any) -> None:
    open_sample(page)
    saved = {}
    for name in ("text", "json", "pdf", "csv", "hocr", "alto", "png"):
        with page.expect_download() as download:
            save_as(page, name)
        saved[name] = (download.value.suggested_filename, Path(download.value.path()).read_bytes())
    names = {name: file for name, (file, _) in saved.items()}
    assert names == {name: f"sample.{suffix}" for name, suffix in (
        ("text", "txt"), ("json", "json"), ("pdf", "pdf"), ("csv", "csv"),
        ("hocr", "hocr"), ("alto", "xml"), ("png", "png"),
    )}  # fmt: skip
    assert "Имя, отчество" in saved["text"][1].decode()
    answer = json.loads(saved["json"][1])
    assert answer.keys() == {"request_id", "pages", "timings_ms", "engines"}
    assert len(answer["pages"][0]["regions"]) == len(SAMPLE_TEXTS)
    assert saved["pdf"][1].startswith(b"%PDF") and saved["png"][1].startswith(b"\x89PNG")
    assert b"<alto" in saved["alto"][1] and b"ocr_page" in saved["hocr"][1]


@both_sizes
def test_the_text_tab_shows_the_page_in_reading_order(page: Any) -> None:
    open_sample(page)
    page.click("#tab-text")
    expect(page.locator("#text")).to_contain_text("Фамилия\tСмирнова", use_inner_text=False)
    expect(page.locator("#lines")).to_be_hidden()


def test_printing_gives_the_text_of_every_page(page: Any) -> None:
    open_document(page, upload(tiff(rows("black"), rows("blue", "black")), "scan.tiff"))
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#paper pre")).to_have_text(["row 1", "row 1\nrow 2"])
    expect(page.locator("#paper")).to_be_visible()
    expect(page.locator(".bar, #desk").first).to_be_hidden()


def test_printing_before_there_is_a_document_gives_no_blank_sheet(page: Any) -> None:
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#welcome")).to_be_visible()


def test_the_language_is_switched_and_remembered(page: Any) -> None:
    open_sample(page)
    page.click("[data-language=ru]")
    expect(page.locator("#copy")).to_have_text("Копировать")
    expect(page.locator(".chip.handwritten")).to_have_text("Почерк10")
    expect(page.locator("#zoom-in")).to_have_attribute("aria-label", "Увеличить")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator("#choose")).to_have_text("Выбрать файлы")


def test_another_language_leaves_the_picture_as_it_was(page: Any) -> None:
    open_sample(page)
    for _ in range(4):
        page.click("#zoom-in")
    view = page.locator("#view")
    view.evaluate("(view) => view.scrollTo(40, 300)")
    page.click("[data-language=ru]")
    expect(page.locator(".chip.handwritten")).to_have_text("Почерк10")
    expect(page.locator("#zoom")).to_have_text("244 %")
    assert view.evaluate("(view) => [view.scrollLeft, view.scrollTop]") == [40, 300]


def test_dark_follows_the_system_until_it_is_chosen(page: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.click("#theme")
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light
    page.click("#theme")
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == dark


def test_a_chosen_file_is_read_with_the_chosen_layout(page: Any, service: Service) -> None:
    page.check("input[value=line]", force=True)
    open_document(page, upload(encoded(rows("black", "blue"))))
    expect(page.locator("#rows .words")).to_have_text(["row 1"])
    assert service.reader.calls[-1].layout is Layout.LINE


def test_one_line_is_said_of_one_document(page: Any, service: Service, plain_reader: SampleReader) -> None:
    """The next one may be dropped where the choice is out of sight; what is tried again keeps it."""
    plain_reader.page_errors = {0: StageFailed("Torn.")}
    page.check("input[value=line]", force=True)
    open_document(page, upload(encoded(rows("black", "blue"))))
    expect(page.locator("#broken")).to_be_visible()
    plain_reader.page_errors = {}
    page.click("#broken-retry")
    expect(page.locator("#rows .words")).to_have_text(["row 1"])
    assert service.reader.calls[-1].layout is Layout.LINE
    open_document(page, upload(encoded(rows("black", "blue"))))
    expect(page.locator("#rows .words")).to_have_text(["row 1", "row 2"])
    assert service.reader.calls[-1].layout is Layout.PAGE


def test_a_photograph_is_read(page: Any) -> None:
    assert page.get_attribute("#camera", "capture") == "environment"
    page.set_input_files("#camera", upload(encoded(rows("blue"), "JPEG"), "photo.jpg"))
    expect(page.locator("#rows .words")).to_have_text(["row 1"])


def test_a_pasted_image_is_read(page: Any) -> None:
    page.evaluate(
        "(clipboardData) => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData}))",
        transfer_of(page, "pasted.png"),
    )
    expect(page.locator("#rows .words")).to_have_text(["row 1"])


def test_several_dropped_files_are_read_as_one_document(page: Any) -> None:
    transfer = transfer_of(page, "one.png", "two.png")
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".veil")).to_be_visible()
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    wait_until_read(page)
    labels = page.locator("#strip button").evaluate_all("(all) => all.map((each) => each.ariaLabel)")
    assert labels == ["Page 1, one.png", "Page 2, two.png"]


def test_what_is_not_a_file_is_declined_in_words(page: Any) -> None:
    page.evaluate("document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: new DataTransfer()}))")
    expect(page.locator("#toast")).to_have_text("That is not a file. Drop or paste a document.")


@pytest.mark.parametrize("kind", ["JPEG", "WebP"])
def test_a_picture_lies_as_it_was_taken(page: Any, kind: str) -> None:
    """EXIF orientation 6: the camera was turned. Browsers turn a JPEG as the service does, but no WebP."""
    image = rows("black", "black", "black").rotate(90, expand=True)
    exif = image.getexif()
    exif[0x0112] = 6
    open_document(page, upload(encoded(image, kind, exif=exif), f"photo.{kind}"))
    expect(page.locator("#rows .words")).to_have_text(["row 1", "row 2", "row 3"])
    box = page.locator("#sheet").bounding_box()
    assert box["width"] > box["height"]
    assert max(pixel(page, 0.4, 55 / 300)[:3]) < 60 and min(pixel(page, 0.4, 20 / 300)[:3]) > 200


def test_the_reference_renders_offline(page: Any, service: Service) -> None:
    page.goto(f"{service.url}/docs")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    page.locator(".opblock", has_text="/ocr").first.locator("button").first.click()
    expect(page.locator(".opblock-body").first).to_contain_text("problem+json")
