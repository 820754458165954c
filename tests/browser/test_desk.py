"""The desk in a real Chromium: pages and their pictures, zoom, search, keys."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.errors import StageFailed
from tests.browser.conftest import DESKTOP, PHONE, SampleReader
from tests.browser.uploads import (
    SAMPLE_TEXTS,
    open_document,
    open_sample,
    pdf,
    pixel,
    rows,
    tiff,
    upload,
    wait_until_read,
)
from tests.pictures import encoded

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

both_sizes = pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
THREE_PAGES = tiff(rows("black"), rows("blue", "black"), rows("black", "black", "blue"))


@both_sizes
@pytest.mark.parametrize("name", ["scan.tiff", "scan.pdf"])
def test_pages_that_browsers_cannot_draw_are_shown_under_their_boxes(page: Any, name: str) -> None:
    write = tiff if name.endswith("tiff") else pdf
    open_document(page, upload(write(rows("black"), rows("blue", "black")), name))
    expect(page.locator("#page-number")).to_have_text("1 / 2")
    expect(page.locator("#boxes text")).to_have_count(0)
    assert max(pixel(page, 0.4, 55 / 300)[:3]) < 60
    page.click("#page-after")
    expect(page.locator("#page-number")).to_have_text("2 / 2")
    expect(page.locator("#rows .words")).to_have_text(["row 1", "row 2"])
    page.wait_for_function("document.getElementById('image').complete")
    red, _, blue, _ = pixel(page, 0.4, 55 / 300)
    assert blue > red + 100
    image = page.locator("#image").bounding_box()
    box = page.locator("#boxes g[data-index='1'] path").bounding_box()
    assert (box["y"] + box["height"] / 2 - image["y"]) / image["height"] == pytest.approx(115 / 300, abs=0.02)


def test_the_strip_leads_to_every_page(page: Any) -> None:
    open_document(page, upload(THREE_PAGES, "scan.tiff"))
    expect(page.locator("#strip button")).to_have_text(["1", "2", "3"])
    expect(page.locator("#strip img")).to_have_count(3)
    page.click("#strip button:nth-child(3)")
    expect(page.locator("#strip [aria-current=true]")).to_have_text("3")
    expect(page.locator("#rows .words")).to_have_count(3)
    page.keyboard.press("PageUp")
    expect(page.locator("#strip [aria-current=true]")).to_have_text("2")


def test_pictures_are_not_asked_of_the_service_where_the_browser_has_them(page: Any) -> None:
    with page.expect_request("**/ocr*") as plain:
        open_sample(page)
    assert "pictures" not in plain.value.url
    with page.expect_request("**/ocr*") as drawn:
        open_document(page, upload(THREE_PAGES, "scan.tiff"))
    assert "pictures=1600" in drawn.value.url


def test_a_page_that_failed_says_so(page: Any, plain_reader: SampleReader) -> None:
    plain_reader.page_errors = {1: StageFailed("The detection stage failed.")}
    open_document(page, upload(THREE_PAGES, "scan.tiff"))
    page.click("#strip .failed")
    expect(page.locator("#rows .note")).to_have_text("The detection stage failed.")


@both_sizes
def test_pages_that_failed_are_told_above_what_was_read(page: Any, plain_reader: SampleReader) -> None:
    """On a phone there is no strip that shows them, and copied text lacks them without a word."""
    plain_reader.page_errors = {number: StageFailed("Torn.") for number in (0, 1, 2, 4)}
    open_document(page, upload(tiff(*[rows("black")] * 6), "scan.tiff"))
    expect(page.locator("#broken-text")).to_have_text("Pages not read: 1–3, 5.")
    expect(page.locator("#live")).to_have_text(
        "Read: 2 lines on 2 pages, 0 of them to check. Pages not read: 1–3, 5."
    )
    page.click("[data-language=ru]")
    expect(page.locator("#broken-text")).to_have_text("Не прочитаны страницы: 1–3, 5.")
    plain_reader.page_errors = {}
    page.click("#broken-retry")
    wait_until_read(page)
    expect(page.locator("#broken")).to_be_hidden()


def test_an_empty_page_says_so(page: Any) -> None:
    open_document(page, upload(encoded(rows())))
    expect(page.locator("#rows .note")).to_have_text("No text was found on this page.")


def widths(page: Any) -> float:
    return float(page.locator("#sheet").bounding_box()["width"])


@both_sizes
def test_the_picture_is_zoomed_by_buttons(page: Any) -> None:
    open_sample(page)
    fitted = widths(page)
    expect(page.locator("#zoom-out")).to_be_disabled()
    for _ in range(3):
        page.click("#zoom-in")
    assert widths(page) == pytest.approx(fitted * 1.25**3, rel=0.01)
    expect(page.locator("#zoom")).to_have_text("195%")
    page.click("#zoom-fit")
    assert widths(page) == pytest.approx(fitted, rel=0.01)


def test_the_wheel_zooms_where_the_mouse_is(page: Any) -> None:
    open_sample(page)
    target = page.locator("#boxes g[data-index='22'] path")

    def middle() -> tuple[float, float]:
        box = target.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    before, fitted = middle(), widths(page)
    page.mouse.move(*before)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    page.wait_for_function("document.getElementById('zoom').textContent !== '100%'")
    assert widths(page) > fitted * 2
    assert middle() == pytest.approx(before, abs=12)


def test_the_mouse_drags_and_a_drag_is_no_click(page: Any) -> None:
    open_sample(page)
    page.locator("#boxes").dblclick(position={"x": 20, "y": 20})
    view = page.locator("#view")
    top = view.evaluate("(view) => view.scrollTop")
    box = view.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60, steps=4)
    page.mouse.up()
    assert view.evaluate("(view) => view.scrollTop") == pytest.approx(top + 60, abs=2)
    expect(page.locator("#toast")).to_have_text("")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_two_fingers_zoom(page: Any) -> None:
    open_sample(page)
    fitted = widths(page)
    driver = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        points_at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        driver.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points_at})

    touch("touchStart", (150, 200), (210, 200))
    for apart in (80, 100, 120):
        touch("touchMove", (180 - apart // 2, 200), (180 + apart // 2, 200))
    touch("touchEnd")
    assert widths(page) == pytest.approx(fitted * 2, rel=0.1)
    assert page.evaluate("visualViewport.scale") == 1


def test_choosing_a_line_brings_its_box_into_the_zoomed_view(page: Any) -> None:
    open_sample(page)
    for _ in range(6):
        page.click("#zoom-in")
    last = page.locator(f"#boxes g[data-index='{len(SAMPLE_TEXTS) - 1}'] path")
    expect(last).not_to_be_in_viewport()
    page.click(f"#rows li[data-index='{len(SAMPLE_TEXTS) - 1}'] button")
    expect(last).to_be_in_viewport()


def test_boxes_can_be_put_away(page: Any) -> None:
    open_sample(page)
    opacity = "getComputedStyle(document.querySelector('#boxes path')).strokeOpacity"
    assert page.evaluate(opacity) == "1"
    page.click("#show-boxes")
    assert page.evaluate(opacity) == "0"
    expect(page.locator("#show-boxes")).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_is_enough(page: Any) -> None:
    page.focus("#sample")
    page.keyboard.press("Enter")
    wait_until_read(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    line = page.locator("#rows li[data-index='1'] button")
    expect(line).to_be_focused()
    assert line.evaluate("(button) => getComputedStyle(button).outlineStyle") == "solid"
    expect(page.locator("#boxes g[data-index='1']")).to_have_class("printed lit")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == SAMPLE_TEXTS[1]
    page.keyboard.press("ArrowUp")
    expect(page.locator("#rows li[data-index='0'] button")).to_be_focused()
    page.keyboard.press("+")
    expect(page.locator("#zoom")).to_have_text("125%")
    page.keyboard.press("0")
    expect(page.locator("#zoom")).to_have_text("100%")
    page.keyboard.press("t")
    expect(page.locator("#text")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#desk")).to_be_visible()


def test_shortcuts_work_in_the_russian_layout(page: Any) -> None:
    open_sample(page)
    press = "(key) => document.body.dispatchEvent(new KeyboardEvent('keydown', {...key, bubbles: true}))"
    page.evaluate(press, {"key": "и", "code": "KeyB"})
    expect(page.locator("#show-boxes")).to_have_attribute("aria-pressed", "false")
    page.evaluate(press, {"key": ".", "code": "Slash"})
    expect(page.locator("#search")).to_be_focused()
    page.evaluate(press, {"key": ",", "code": "Slash", "shiftKey": True})
    expect(page.locator("#help-dialog")).to_be_visible()


def test_a_question_mark_lists_the_keys(page: Any) -> None:
    page.keyboard.press("?")
    dialog = page.locator("#help-dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator("dt")).to_have_count(12)
    expect(dialog).to_contain_text("wavy line")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@both_sizes
def test_the_page_itself_does_not_scroll(page: Any) -> None:
    """Picture and lines do; with many lines too."""
    open_document(page, upload(encoded(rows(*["black"] * 60))))
    assert page.evaluate("rows.scrollHeight > 2 * innerHeight")
    assert page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


def test_pages_turn_from_wherever_the_focus_is(page: Any) -> None:
    open_document(page, upload(THREE_PAGES, "scan.tiff"))
    for place, number in (("#tab-lines", "2 / 3"), ("#copy", "3 / 3")):
        page.focus(place)
        page.keyboard.press("PageDown")
        expect(page.locator("#page-number")).to_have_text(number)
    page.focus("#view")
    page.keyboard.press("PageUp")
    expect(page.locator("#page-number")).to_have_text("2 / 3")
    page.click("#zoom-in", click_count=4)
    page.focus("#view")
    page.keyboard.press("PageDown")  # Scrolls the picture, which does not fit any more.
    page.wait_for_function("view.scrollTop > 0")
    expect(page.locator("#page-number")).to_have_text("2 / 3")


@pytest.mark.parametrize("page", [PHONE], ids=["phone"], indirect=True)
def test_fingers_are_told_of_colours_and_not_of_keys(page: Any) -> None:
    page.tap("#help")
    expect(page.locator("#help-legend")).to_be_visible()
    expect(page.locator("#help-keys")).to_be_hidden()


def test_cells_of_a_row_stand_apart_and_are_copied_with_their_tabs(page: Any) -> None:
    open_sample(page)
    page.click("#tab-text")
    tab = page.locator("#text .tab").first
    assert tab.bounding_box()["width"] > 12
    assert "Фамилия\tСмирнова" in page.locator("#text").evaluate("(text) => text.innerText")


def test_everything_that_is_pressed_has_a_name(page: Any) -> None:
    open_document(page, upload(THREE_PAGES, "scan.tiff"))
    nameless = page.locator("button:visible, select:visible, input:visible, a:visible").evaluate_all(
        """(all) => all.filter((each) => !(each.ariaLabel || each.textContent.trim() || each.title))
                      .map((each) => each.outerHTML)"""
    )
    assert nameless == []
