"""The page for people who see, hear or type differently."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deployments.errors import StageFailed
from tests.browser.conftest import SampleReader
from tests.browser.uploads import SCAN, THREE_PAGES, open_document, open_sample, problem, send

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def luminance(colour: str) -> float:
    """Of a computed colour, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


# The edge of a control, and what lies on its two sides; where a side has no colour, what is below shows.
EDGES = """
(selectors) => selectors.map((selector) => {
    const found = document.querySelector(selector);
    const ground = (each) => {
        const { backgroundColor } = getComputedStyle(each);
        return backgroundColor.startsWith("rgb(") ? backgroundColor : ground(each.parentElement);
    };
    return [selector, getComputedStyle(found).borderTopColor, ground(found), ground(found.parentElement)];
})
"""
CONTROLS = [
    ".find",
    ".chip.printed",
    "#save-as",
    "#save",
    "#copy",
    "#key",
    "#sample",
    ".layout .switch",
    ".bar .switch",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_edges_of_controls_show(page: Any, scheme: str) -> None:
    """WCAG 2.2, 1.4.11: 3:1 against what is beside them."""
    page.emulate_media(color_scheme=scheme)
    open_sample(page)
    page.click(".chip.printed")  # A chip that is pressed has an edge of its own colour, a stronger one.
    page.mouse.move(0, 0)
    expect(page.locator(".chip.printed")).to_have_attribute("aria-pressed", "false")
    measured = page.evaluate(EDGES, CONTROLS)
    weak = [(name, side) for name, edge, *sides in measured for side in sides if contrast(edge, side) < 3]
    assert len(measured) == len(CONTROLS) and weak == []


def test_shortcuts_of_one_letter_can_be_turned_off(page: Any) -> None:
    """WCAG 2.2, 2.1.4. Other keys keep their meaning, and the choice is remembered."""
    open_sample(page)
    page.click("#help")
    page.uncheck("#single-keys")
    page.click("#help-close")
    for key in ("t", "b", "/", "+", "?"):
        page.keyboard.press(key)
    expect(page.locator("#lines")).to_be_visible()
    expect(page.locator("#show-boxes")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#search")).not_to_be_focused()
    expect(page.locator("#zoom")).to_have_text("100%")
    expect(page.locator("#help-dialog")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows li[data-index='0'] button")).to_be_focused()
    page.reload()
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_hidden()
    page.click("#help")
    page.check("#single-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_visible()


def test_what_stays_english_says_so(page: Any, plain_reader: SampleReader) -> None:
    """A screen reader that speaks Russian would spell it out."""
    page.click("[data-language=ru]")
    plain_reader.page_errors = {1: StageFailed("The detection stage failed.")}
    open_document(page, THREE_PAGES)
    expect(page.locator("#rows .words").first).not_to_have_attribute("lang", "en")
    page.click("#strip .failed")
    for place in ("#rows .note [lang=en]", "#text [lang=en]"):
        expect(page.locator(place)).to_have_text("The detection stage failed.", use_inner_text=False)
    page.route("**/ocr*", lambda route: route.fulfill(**problem(418, "something_new")))
    send(page, SCAN)
    expect(page.locator("#trouble-title")).to_have_text("T.")
    expect(page.locator("#trouble-title")).to_have_attribute("lang", "en")
    page.unroute("**/ocr*")
    page.route("**/ocr*", lambda route: route.fulfill(**problem(500, "internal")))
    send(page, SCAN)
    expect(page.locator("#trouble-title")).to_have_text("Сбой сервиса")
    expect(page.locator("#trouble-title")).to_have_attribute("lang", "ru")


def test_lines_that_failed_say_that_they_are_english(page: Any, plain_reader: SampleReader) -> None:
    page.click("[data-language=ru]")
    plain_reader.region_errors = {0: StageFailed("Torn.")}
    open_document(page, SCAN)
    line = page.locator("#rows .words")
    expect(line).to_have_text("Torn.")
    expect(line).to_have_attribute("lang", "en")
    page.hover("#boxes g[data-index='0']")
    expect(page.locator("#tip strong")).to_have_attribute("lang", "en")
