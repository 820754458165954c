from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.page_ranges import PATTERN, parse_ranges


@pytest.mark.parametrize(
    ("text", "numbers", "highest"),
    [("3", [3], 3), ("1-3,7", [1, 2, 3, 7], 7), ("9-", [9, 10], 28), ("15-18,4-", [*range(4, 11)], 23),
     (" 2 , 2-3 ", [2, 3], 3),
     ("7,1", [1, 7], 7), ("99", [], 99)],
)  # fmt: skip
def test_ranges(text: str, numbers: list[int], highest: int) -> None:
    ranges = parse_ranges(text)
    assert (ranges.among(range(1, 11)), ranges.highest(20)) == (numbers, highest)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no page"), ("1,,2", "no page"), ("a", "no page"), ("-3", "no page"), ("1-2-3", "no page"),
     ("0", "from 1"), ("3-1", "ends before"), ("1" * 10, "no page"), (",".join("1" * 101), "100 ranges")],
)  # fmt: skip
def test_what_is_no_range_is_named(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_ranges(text)


@given(st.text("0123456789-, ", max_size=12))
def test_the_published_pattern_admits_all_that_is_parsed(text: str) -> None:
    try:
        parse_ranges(text)
    except ValueError:
        return
    assert re.search(PATTERN, text)
