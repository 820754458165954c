from __future__ import annotations

import numpy as np
import pytest

from deployments.geometry import quad_from_box, rotate_points
from training.detection_metrics import DetectionCounts, match_lines


def test_counts_by_hand() -> None:
    labelled = [
        quad_from_box((0, 0, 100, 10)),
        quad_from_box((0, 20, 100, 10)),
        quad_from_box((0, 40, 50, 10)),
    ]
    found = [
        quad_from_box((0, 0, 100, 10)),  # exact: 1.0
        quad_from_box((0, 20, 60, 10)),  # 600 of 1000: 0.6
        quad_from_box((0, 45, 50, 10)),  # 250 of 750: 0.33, no match
        quad_from_box((200, 0, 10, 10)),  # nothing there
    ]
    counts = match_lines(found, labelled).counts
    assert (counts.found, counts.labelled, counts.matched) == (4, 3, 2)
    assert counts.precision == 0.5
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.f1 == pytest.approx(4 / 7)
    assert counts.mean_iou == pytest.approx(0.8)


def test_a_line_matches_once_and_the_better_overlap_wins() -> None:
    labelled = [quad_from_box((0, 0, 100, 10))]
    found = [quad_from_box((0, 0, 80, 10)), quad_from_box((0, 0, 90, 10))]
    matching = match_lines(found, labelled)
    assert [(match.found, match.labelled) for match in matching.matches] == [(1, 0)]
    assert matching.counts.precision == 0.5 and matching.counts.recall == 1


def test_greedy_takes_the_largest_overlap_first() -> None:
    labelled = [quad_from_box((0, 0, 100, 10)), quad_from_box((0, 2, 100, 10))]
    found = [quad_from_box((0, 2, 100, 10)), quad_from_box((0, 0, 100, 10))]
    matching = match_lines(found, labelled)
    assert {(match.found, match.labelled) for match in matching.matches} == {(0, 1), (1, 0)}
    assert matching.counts.mean_iou == 1


def test_quads_are_compared_as_quads_on_request() -> None:
    line = quad_from_box((0, 100, 400, 10))
    turned = rotate_points(line, 10, (200, 105))
    assert match_lines([turned], [turned], by_quad=True).counts.matched == 1
    # The bounds of the two overlap, the lines themselves hardly.
    assert match_lines([turned], [rotate_points(line, -10, (200, 105))]).counts.matched == 1
    assert match_lines([turned], [rotate_points(line, -10, (200, 105))], by_quad=True).counts.matched == 0


def test_empty_pages() -> None:
    line = [quad_from_box((0, 0, 10, 10))]
    assert match_lines([], []).counts.f1 == 1
    assert match_lines(line, []).counts == DetectionCounts(1, 0, 0, 0.0)
    assert match_lines(line, []).counts.f1 == 0
    missed = match_lines([], line).counts
    assert (missed.precision, missed.recall, missed.f1, missed.mean_iou) == (1, 0, 0, 0)


def test_counts_add_up() -> None:
    total = DetectionCounts(2, 3, 1, 0.9) + DetectionCounts(1, 1, 1, 0.7)
    assert (total.found, total.labelled, total.matched) == (3, 4, 2)
    assert total.mean_iou == pytest.approx(0.8)
    assert np.isclose(total.f1, 4 / 7)
