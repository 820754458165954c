from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.geometry import quad_bounds, quad_from_box
from deployments.types import Kind
from serve_app.results import Region
from serve_app.words import spans_in_line, words_of

QUAD = quad_from_box((100, 50, 200, 20))


def line(text: str | None, **more: object) -> Region:
    return Region(QUAD, 0.9, Kind.PRINTED, 0.9, text, 0.8, "crnn", **more)  # type: ignore[arg-type]


def test_words_stand_where_their_characters_were_seen() -> None:
    spans = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.75), (0.75, 1.0))
    confidences = (1.0, 0.25, 0.5, 0.9, 0.4)
    first, second = words_of(line("ab cd", char_spans=spans, char_confidences=confidences))
    assert (first.text, second.text) == ("ab", "cd")
    assert quad_bounds(first.quad) == pytest.approx((100, 50, 60, 20))
    assert quad_bounds(second.quad) == pytest.approx((200, 50, 100, 20))
    assert (first.confidence, second.confidence) == (pytest.approx(0.5), pytest.approx(0.6))


def test_words_share_the_line_by_their_length_where_nothing_was_seen() -> None:
    first, second = words_of(line("a bcd"))
    assert quad_bounds(first.quad) == pytest.approx((100, 50, 40, 20))
    assert quad_bounds(second.quad) == pytest.approx((180, 50, 120, 20))
    assert first.confidence == second.confidence == 0.8


def test_words_of_a_turned_line_are_turned_with_it() -> None:
    upwards = Region(np.float32([[10, 100], [10, 0], [30, 0], [30, 100]]), 0.9, text="ab cd")
    first, second = words_of(upwards)
    assert quad_bounds(first.quad) == pytest.approx((10, 60, 20, 40))
    assert quad_bounds(second.quad) == pytest.approx((10, 0, 20, 40))
    assert first.quad[0].tolist() == [10, 100]


@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_line_without_text_has_no_words(text: str | None) -> None:
    assert words_of(line(text)) == []


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0, 0.5))
def test_spans_stay_in_the_line(edges: list[float], margin: float) -> None:
    ordered = sorted(edges)
    spans = spans_in_line(list(pairwise(ordered)), margin)
    assert all(0 <= left <= right <= 1 for left, right in spans)


def test_the_margins_of_the_crop_are_no_part_of_the_line() -> None:
    assert spans_in_line([(0.0, 0.1), (0.1, 0.5), (0.5, 0.95)], 0.125) == (
        (0.0, 0.0),
        (0.0, 0.5),
        (0.5, 1.0),
    )
