"""What of a page is shown, in a real Chromium: hits of a search, and lines of the chosen kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.uploads import (
    SAMPLE_TEXTS,
    open_document,
    open_sample,
    rows,
    tiff,
    upload,
    wait_until_read,
)
from tests.pictures import encoded

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

SAMPLE = Path(__file__).parents[2] / "serve_app" / "web" / "static" / "sample.jpg"
THREE_PAGES = tiff(rows("black"), rows("blue", "black"), rows("black", "black", "blue"))


def test_search_marks_hits_in_lines_and_picture_and_walks_through_them(page: Any) -> None:
    open_sample(page)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("смирн")
    expect(page.locator("#hits")).to_have_text("1 / 2")
    expect(page.locator("#rows mark")).to_have_text(["Смирн", "Смирн"])
    expect(page.locator("#rows mark.now")).to_have_count(1)
    expect(page.locator("#marks polygon")).to_have_count(2)
    box, mark = (
        page.locator(where).bounding_box() for where in ("#boxes g[data-index='3'] path", "#marks .now")
    )
    assert mark["x"] >= box["x"] - 1 and mark["width"] == pytest.approx(box["width"] * 5 / 8, rel=0.1)
    page.keyboard.press("Enter")
    expect(page.locator("#hits")).to_have_text("2 / 2")
    expect(page.locator(f"#rows li[data-index='{len(SAMPLE_TEXTS) - 1}'] mark.now")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#hits")).to_have_text("1 / 2")
    page.click("#hit-before")
    expect(page.locator("#hits")).to_have_text("2 / 2")
    page.click("#tab-text")
    expect(page.locator("#text mark")).to_have_count(2)
    page.focus("#search")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("")
    expect(page.locator("mark, #marks polygon")).to_have_count(0)


def test_search_goes_over_all_pages(page: Any) -> None:
    open_document(page, upload(THREE_PAGES, "scan.tiff"))
    page.fill("#search", "row 2")
    expect(page.locator("#hits")).to_have_text("1 / 2")
    expect(page.locator("#page-number")).to_have_text("2 / 3")
    page.press("#search", "Enter")
    expect(page.locator("#page-number")).to_have_text("3 / 3")
    expect(page.locator("#rows mark")).to_have_text(["row 2"])
    page.fill("#search", "no such thing")
    expect(page.locator("#hits")).to_have_text("none")
    expect(page.locator("#hit-after")).to_be_disabled()


def test_a_hit_on_another_page_is_brought_into_view(page: Any) -> None:
    short, long = (encoded(rows(*["black"] * count), "PNG") for count in (1, 60))
    page.set_input_files("#file", [upload(short, "a.png"), upload(long, "b.png")])
    wait_until_read(page)
    page.fill("#search", "row 60")
    expect(page.locator("#page-number")).to_have_text("2 / 2")
    expect(page.locator("#rows mark.now")).to_have_text("row 60")
    expect(page.locator("#rows mark.now")).to_be_in_viewport()
    page.fill("#search", "")
    page.click("#tab-text")
    page.click("#page-before")
    page.fill("#search", "row 59")
    expect(page.locator("#text mark.now")).to_have_text("row 59")
    expect(page.locator("#text mark.now")).to_be_in_viewport()


def test_a_filter_can_be_switched_off_on_a_page_that_has_none_of_it(page: Any) -> None:
    sample = SAMPLE.read_bytes()
    sure = encoded(rows("black", "black"), "PNG")
    page.set_input_files("#file", [upload(sample, "a.jpg"), upload(sure, "b.png")])
    wait_until_read(page)
    page.click(".chip.unsure")
    page.click("#page-after")
    expect(page.locator("#page-number")).to_have_text("2 / 2")
    expect(page.locator("#rows li[data-index]:not(.off)")).to_have_count(0)
    expect(page.locator("#rows .note")).to_have_text("No line is of the kinds that are shown.")
    expect(page.locator(".chip.unsure")).to_have_attribute("aria-pressed", "true")
    page.click(".chip.unsure")
    expect(page.locator("#rows li:not(.off)")).to_have_count(2)
    expect(page.locator("#rows .note")).to_have_count(0)
