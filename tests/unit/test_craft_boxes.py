from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from deployments import geometry
from deployments.detection.craft_boxes import (
    CraftThresholds,
    Region,
    find_words,
    grow_lines,
    join_lines,
    part_lines,
)

THRESHOLDS = CraftThresholds(text=0.7, link=0.4, low_text=0.4, gap=1.6, part_gap=1.15, growth=0.0)
GAP = THRESHOLDS.gap


def blob(shape: tuple[int, int], x: float, y: float, radius: float, peak: float = 1.0) -> np.ndarray:
    """A Gaussian, as CRAFT draws a character."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))).astype(np.float32)


def maps(
    words: list[list[tuple[float, float]]], shape: tuple[int, int] = (60, 160), peak: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Both maps of words given as middles of their characters."""
    characters, affinities = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for word in words:
        for x, y in word:
            characters = np.maximum(characters, blob(shape, x, y, 2.5, peak))
        for (x0, y0), (x1, y1) in pairwise(word):
            affinities = np.maximum(affinities, blob(shape, (x0 + x1) / 2, (y0 + y1) / 2, 2.5))
    return characters, affinities


def test_characters_with_affinity_are_one_word_and_others_are_two() -> None:
    characters, affinities = maps([[(20, 30), (28, 30), (36, 30)], [(80, 30), (88, 30)]])
    words = sorted(find_words(characters, affinities, THRESHOLDS), key=lambda word: word.quad[0, 0])
    assert len(words) == 2
    left, top, width, height = geometry.quad_bounds(words[0].quad)
    assert left + width / 2 == pytest.approx(28.5, abs=1) and top + height / 2 == pytest.approx(30.5, abs=1)
    assert 20 <= width <= 30 and 6 <= height <= 14
    assert words[0].score == pytest.approx(1.0)


def test_without_affinity_characters_stay_apart() -> None:
    characters, affinities = maps([[(20, 30)], [(29, 30)], [(38, 30)]])
    assert len(find_words(characters, affinities, THRESHOLDS)) == 3
    touching = find_words(characters, affinities, replace(THRESHOLDS, low_text=0.1))
    assert len(touching) == 3  # what blurs into each other is shared out between the cores


def test_lines_that_blur_into_each_other_are_cut_between_their_cores() -> None:
    rows = [[(20 + 8 * step, y) for step in range(8)] for y in (20, 28, 36)]
    characters, affinities = maps(rows)
    assert characters[24, 28] > 0.25  # between the lines
    found = find_words(characters, affinities, replace(THRESHOLDS, low_text=0.2))
    middles = sorted(float(word.quad[:, 1].mean()) for word in found)
    assert middles == pytest.approx([20.5, 28.5, 36.5], abs=0.5)
    assert all(geometry.quad_bounds(word.quad)[2] == pytest.approx(66, abs=4) for word in found)


def test_a_letter_that_hangs_down_does_not_turn_the_line() -> None:
    characters, affinities = maps([[(20 + 8 * step, 20) for step in range(12)]])
    characters = np.maximum(characters, maps([[(20, 26), (20, 31)]])[0])
    quad = find_words(characters, affinities, THRESHOLDS)[0].quad
    along = quad[1] - quad[0]
    assert abs(np.degrees(np.arctan2(along[1], along[0]))) < 3


def test_weak_peaks_are_no_words() -> None:
    characters, affinities = maps([[(20, 30), (28, 30)]], peak=0.6)
    assert find_words(characters, affinities, THRESHOLDS) == []
    assert len(find_words(characters, affinities, replace(THRESHOLDS, text=0.5))) == 1


def test_affinity_alone_is_no_word() -> None:
    characters, affinities = maps([[(20, 30), (28, 30)]])
    assert find_words(np.zeros_like(characters), affinities, THRESHOLDS) == []


def test_specks_are_ignored() -> None:
    characters = np.zeros((40, 40), np.float32)
    characters[10, 10:13] = 1
    assert find_words(characters, np.zeros_like(characters), THRESHOLDS) == []


def test_a_slanted_word_gets_a_slanted_quad_that_reads_to_the_right() -> None:
    word = [(20 + 8 * step, 45 - 2.5 * step) for step in range(8)]  # rises by 17 degrees
    characters, affinities = maps([word], shape=(70, 110))
    quad = find_words(characters, affinities, THRESHOLDS)[0].quad
    geometry.check_quad(quad)
    along = quad[1] - quad[0]
    assert np.degrees(np.arctan2(-along[1], along[0])) == pytest.approx(17.4, abs=3)


def test_words_at_the_border_keep_their_place() -> None:
    characters, affinities = maps([[(1, 2), (9, 2)]], shape=(30, 40))
    left, top, width, height = geometry.quad_bounds(find_words(characters, affinities, THRESHOLDS)[0].quad)
    assert -6 < left < 1 and left + width == pytest.approx(13.5, abs=2.5)
    assert top + height == pytest.approx(6, abs=2)


def region(x: int, y: int, width: int, height: int, score: float = 1.0) -> Region:
    rows, columns = np.mgrid[y : y + height, x : x + width]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
    return Region(geometry.quad_from_box((x, y, width, height)), score, points)


def bounds(regions: list[Region]) -> list[tuple[float, ...]]:
    return sorted(tuple(round(value) for value in geometry.quad_bounds(one.quad)) for one in regions)


def test_words_of_a_line_are_joined_and_lines_stay_apart() -> None:
    words = [region(50, 0, 30, 10), region(0, 0, 40, 10), region(0, 15, 40, 10), region(48, 15, 20, 10)]
    assert bounds(join_lines(words, GAP)) == [(0, 0, 80, 10), (0, 15, 68, 10)]


def test_a_wide_gap_ends_a_line() -> None:
    assert len(join_lines([region(0, 0, 40, 10), region(70, 0, 40, 10)], GAP)) == 2


def test_a_heading_does_not_swallow_small_print_beside_it() -> None:
    assert len(join_lines([region(0, 0, 80, 30), region(85, 10, 40, 8)], GAP)) == 2


def test_a_line_that_climbs_is_followed() -> None:
    words = [region(60 * step, 60 - 4 * step, 50, 12) for step in range(6)]
    (line,) = join_lines(words, GAP)
    along = line.quad[1] - line.quad[0]
    assert -along[1] / along[0] == pytest.approx(4 / 60, abs=0.02)


def test_scores_are_means_by_width() -> None:
    (line,) = join_lines([region(0, 0, 30, 10, 1.0), region(35, 0, 10, 10, 0.6)], GAP)
    assert line.score == pytest.approx(0.9)


def test_lines_grow_by_a_share_of_their_height() -> None:
    assert bounds(grow_lines([region(50, 50, 60, 20)], 0.2)) == [(48, 46, 64, 28)]


def test_lines_grow_no_further_than_halfway_to_those_above_and_below() -> None:
    stacked = [region(0, 0, 80, 20), region(10, 24, 60, 20), region(0, 44, 80, 20)]
    assert bounds(grow_lines(stacked, 0.5)) == [(-5, -10, 90, 32), (-5, 44, 90, 30), (5, 22, 70, 22)]
    beside = [region(0, 0, 80, 20), region(100, 4, 60, 20)]
    assert bounds(grow_lines(beside, 0.1)) == [(-1, -2, 82, 24), (99, 2, 62, 24)]


def test_no_words_no_lines() -> None:
    assert join_lines([], GAP) == [] and grow_lines([], 0.3) == []
    assert find_words(np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32), THRESHOLDS) == []


def bridged(gap_px: float, rise_px: float = 0.0) -> list[Region]:
    """A word of three characters and one of two, joined by affinity over a gap between their edges."""
    far = 40 + gap_px
    word = [(20, 30), (28, 30), (36, 30), (far, 30 + rise_px), (far + 8, 30 + rise_px)]
    characters, affinities = maps([word])
    affinities[28:33, 36 : round(far)] = 1.0
    (line,) = find_words(characters, affinities, THRESHOLDS)
    return [line]


@pytest.mark.parametrize(("gap_px", "pieces"), [(8, 1), (40, 2)])
def test_a_line_is_parted_where_affinity_bridges_too_much_paper(gap_px: float, pieces: int) -> None:
    lines = bridged(gap_px)
    assert len(part_lines(lines, part_gap=1.15)) == pieces
    assert part_lines(lines, part_gap=20.0) == lines


def test_pieces_of_a_line_keep_its_score_and_lie_where_their_characters_do() -> None:
    (line,) = bridged(40, rise_px=3)
    first, second = sorted(part_lines([line], 1.15), key=lambda piece: float(piece.quad[0, 0]))
    assert first.score == second.score == line.score
    assert geometry.quad_bounds(first.quad)[0] == pytest.approx(geometry.quad_bounds(line.quad)[0], abs=1)
    assert [float(piece.quad[:, 1].mean()) for piece in (first, second)] == pytest.approx([30.5, 33.5], abs=1)
    assert geometry.quad_bounds(second.quad)[2] < 20
