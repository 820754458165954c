"""Pages of jobs survive being stored without loss."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.errors import DeadlineExceeded, OcrError, Overloaded, StageFailed
from serve_app.jobs.codec import dump_page, load_page
from serve_app.results import PageResult, Region
from tests.jobs import page


def assert_same(stored: PageResult, given: PageResult) -> None:
    for field in fields(PageResult):
        if field.name not in ("regions", "error"):
            assert getattr(stored, field.name) == getattr(given, field.name), field.name
    assert_same_error(stored.error, given.error)
    for one, other in zip(stored.regions, given.regions, strict=True):
        assert one.quad.dtype == np.float32 and np.array_equal(one.quad, other.quad)
        assert_same_error(one.error, other.error)
        assert replace(one, quad=other.quad, error=None) == replace(other, error=None)


def assert_same_error(stored: OcrError | None, given: OcrError | None) -> None:
    assert type(stored) is type(given)
    if stored is not None and given is not None:
        assert stored.public == given.public


@pytest.mark.parametrize(
    "original",
    [
        page(0),
        page(7, StageFailed("Lost.")),
        replace(page(1), origin=None, regions=()),
        replace(
            page(2), regions=(Region(np.zeros((4, 2), np.float32), 0.5, error=DeadlineExceeded("Late.")),)
        ),
        page(3, Overloaded("Full.")),
        page(4, text="line\u2028separator \ud800 \x00 \U0001f642"),
    ],
    ids=["read", "failed", "empty", "failed-region", "overloaded", "odd-text"],
)
def test_a_page_comes_back_as_it_was(original: PageResult) -> None:
    assert_same(load_page(dump_page(original)), original)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 20_000, width=32), min_size=8, max_size=8),
    st.floats(0, 1, allow_nan=False),
    st.text(),
)
def test_numbers_and_text_come_back_exactly(corners: list[float], share: float, text: str) -> None:
    quad = np.array(corners, np.float32).reshape(4, 2)
    region = Region(quad, share, None, None, text, share, "x", char_spans=((0.0, share),))
    original = PageResult(0, 10, 20, regions=(region,))
    assert_same(load_page(dump_page(original)), original)


def test_an_error_of_another_version_is_a_failed_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = StageFailed("Something new.")
    monkeypatch.setattr(lost, "code", "unheard_of", raising=False)
    error = load_page(dump_page(page(0, lost))).error
    assert type(error) is StageFailed and error.public == "Something new."
