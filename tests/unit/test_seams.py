"""Pieces of one line that two parts of a page show become one."""

from __future__ import annotations

import numpy as np
import pytest

from deployments.geometry import quad_from_box
from deployments.types import Points, TextLine
from serve_app.seams import Bounds, mended

LEFT, RIGHT = (0.0, 0.0, 600.0, 500.0), (400.0, 0.0, 1000.0, 500.0)


def line(x: float, y: float, width: float, height: float = 20, score: float = 0.9) -> TextLine:
    return TextLine(quad_from_box((x, y, width, height)), score)


def turned(quad: Points, degrees: float) -> Points:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((quad - 500) @ turn + 500, np.float32)


def whole(degrees: float, *parts: tuple[Bounds, list[TextLine]]) -> list[TextLine]:
    """Mend with everything turned; bounds become those of the turned ones."""
    seen = []
    for (left, top, right, bottom), lines in parts:
        corners = turned(quad_from_box((left, top, right - left, bottom - top)), degrees)
        bounds = (*corners.min(0).tolist(), *corners.max(0).tolist())
        seen.append((bounds, [TextLine(turned(each.quad, degrees), each.score) for each in lines]))
    return mended(seen)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 4])
@pytest.mark.parametrize("first", ["left", "right"])
def test_what_lies_within_a_longer_line_goes(degrees: float, first: str) -> None:
    complete, piece = (LEFT, [line(100, 50, 500)]), (RIGHT, [line(400, 52, 200, 18)])
    parts = (complete, piece) if first == "left" else (piece, complete)
    (kept,) = whole(degrees, *parts)
    np.testing.assert_allclose(kept.quad, turned(quad_from_box((100, 50, 500, 20)), degrees), atol=1e-2)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 4])
def test_two_pieces_become_one_line(degrees: float) -> None:
    (kept,) = whole(degrees, (LEFT, [line(50, 50, 550)]), (RIGHT, [line(400, 50, 500, score=0.5)]))
    np.testing.assert_allclose(kept.quad, turned(quad_from_box((50, 50, 850, 20)), degrees), atol=1e-2)
    assert kept.score == 0.9


def test_a_line_in_three_parts_is_put_together() -> None:
    middle, last = (400.0, 0.0, 900.0, 500.0), (700.0, 0.0, 1400.0, 500.0)
    parts = (LEFT, [line(50, 50, 550)]), (middle, [line(400, 50, 500)]), (last, [line(700, 50, 600)])
    (kept,) = whole(0, *parts)
    np.testing.assert_allclose(kept.quad, quad_from_box((50, 50, 1250, 20)))


@pytest.mark.parametrize(
    "other",
    [line(595, 50, 300), line(450, 66, 300), line(450, 90, 300)],
    ids=["touches", "below", "next row"],
)
def test_other_lines_stay(other: TextLine) -> None:
    assert len(whole(0, (LEFT, [line(50, 50, 550)]), (RIGHT, [other]))) == 2


def test_lines_of_one_part_are_not_compared() -> None:
    assert len(whole(0, (LEFT, [line(50, 50, 550), line(60, 50, 400)]), (RIGHT, []))) == 2
